"""From a GGUF file to a model folder: opened once by transformers, kept as float32 safetensors.

That one opening takes minutes (every weight is computed from its quantised block, and the tokenizer is
built anew); the folder then opens in a second. The embedded models and any other GGUF file go this way.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.models.gguf_check import check_gguf
from safeneuron.models.gguf_header import MAGIC, VERSIONS, aligned, read_header
from safeneuron.progress import Progress
from safeneuron.workspace import clear_disk_errors

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

COPY_BYTES = 64 << 20


def read_gguf(path: Path, scratch: Path, progress: Progress) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Open a GGUF file, or the first of its pieces, as a float32 model that can be saved.

    Parameters
    ----------
    path : Path
    scratch : Path
        An empty folder. The file is opened from there, where nothing of another model lies beside it:
        transformers would take that up (a config, an adapter).
    progress : Progress

    Raises
    ------
    UserError
        When the architecture is not supported, or the file is damaged, lacks weights, or holds what no model has.
    """
    # Imported here: cards are drawn before torch is needed.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from safeneuron.models.folder import reading, require_all_weights
    from safeneuron.models.gguf_tensors import config_of

    facts = check_gguf(path)
    alone = scratch / "model.gguf"
    if len(facts.pieces) == 1:
        alone.symlink_to(path)
    else:
        join_pieces(facts.pieces, alone, progress)
    step = "Reading the GGUF file (once)"
    progress(step, 0.0)
    with reading(path):
        model, report = AutoModelForCausalLM.from_pretrained(
            scratch,
            config=config_of(alone, facts.config, path),
            gguf_file=alone.name,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
        require_all_weights(report, path)
        progress(step, 0.7)
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=alone.name, local_files_only=True)
    # A model that came from quantised weights refuses save_pretrained while it remembers that.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    progress(step, 1.0)
    return model.eval(), tokenizer


def join_pieces(pieces: Sequence[Path], target: Path, progress: Progress) -> None:
    """Write the pieces of a model as one file: the first one's keys, every piece's tensors.

    Transformers reads one file only.
    """
    headers = [read_header(piece) for piece in pieces]
    first, alignment = headers[0], headers[0].alignment
    entries, end = [], 0
    for tensor in (tensor for header in headers for tensor in header.tensors):
        entries.append(tensor.info + struct.pack("<Q", end))
        end = aligned(end + tensor.nbytes, alignment)
    step, written = "Joining the pieces of the GGUF file", 0
    head = MAGIC + struct.pack("<IQQ", VERSIONS[-1], len(entries), first.n_keys) + first.keys + b"".join(entries)
    with clear_disk_errors(target.parent), target.open("wb") as out:
        out.write(head.ljust(aligned(len(head), alignment), b"\0"))
        start = out.tell()
        for piece, header in zip(pieces, headers, strict=True):
            with piece.open("rb") as stream:
                for tensor in header.tensors:
                    stream.seek(header.data_start + tensor.offset)
                    left = tensor.nbytes
                    while left:
                        left -= out.write(stream.read(min(left, COPY_BYTES)))
                    written += tensor.nbytes
                    progress(step, min(1.0, written / end))
                    out.write(b"\0" * (aligned(out.tell() - start, alignment) - (out.tell() - start)))
