"""Whether what a GGUF file says of itself fits its tensors, found out from its head alone.

With another number of heads the same weights would be read as another model, and no self-check could tell. A key
that no shape follows from, such as the base of the rotary embedding, is taken as it stands or refused
(:mod:`safeneuron.models.gguf_config`).
Names and keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.gguf_config import gguf_config, layout_of_header
from safeneuron.models.gguf_header import GGUFHeader, GGUFTensor, pieces_of, read_header
from safeneuron.models.layout import MLPLayout

BLOCK = re.compile(r"blk\.(\d+)\.(.+)")
SECONDS_PER_WEIGHT = 4e-7
"""Converting took 33 s for 135 million weights on idle cores, and 116 s for 268 million on busy ones."""
NEEDED = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")


@dataclass(frozen=True)
class GGUFFacts:
    """What the heads of a model's files say, checked.

    Parameters
    ----------
    pieces : tuple of Path
        The files, one or more.
    config : dict
        As ``config.json`` would hold it.
    shape : (int, int)
        Layers, and neurons in each.
    n_weights, largest : int
        Weights in all tensors, and in the largest.
    """

    pieces: tuple[Path, ...]
    config: dict[str, Any]
    shape: tuple[int, int]
    n_weights: int
    largest: int

    @property
    def minutes(self) -> int:
        """About how long converting takes."""
        return max(1, round(self.n_weights * SECONDS_PER_WEIGHT / 60))

    @property
    def converted_bytes(self) -> int:
        """What the converted weights take, in float32, on disk as in memory."""
        return 4 * self.n_weights

    @property
    def converting_bytes(self) -> int:
        """What converting takes in memory at its height: all weights, and the largest twice more as it is computed.

        2.6 GB for gemma-3-270m and 0.85 GB for SmolLM2-135M, whose processes grew by 2.3 and 0.83 GB.
        """
        return self.converted_bytes * 23 // 20 + 2 * 4 * self.largest


def check_gguf(path: Path) -> GGUFFacts:
    """Return what the files of a GGUF model say after reading the head of each, or say what is wrong with them.

    Raises
    ------
    UserError
        When a file is cut short or damaged, a piece is missing, the architecture is not supported, the tokenizer,
        the layers or the sizes that the keys state are not those of the weights, or a key cannot be passed on.
    """
    pieces = pieces_of(path)
    headers = [read_header(piece) for piece in pieces]
    facts, tensors = headers[0].facts, {tensor.name: tensor for header in headers for tensor in header.tensors}
    if facts.get("split.count", 1) != len(pieces):
        raise UserError(
            f"{path} is one of {facts['split.count']} pieces whose names no longer say so; name them "
            f"{path.stem}-00001-of-{facts['split.count']:05d}.gguf and so on."
        )
    if len(tensors) != sum(len(header.tensors) for header in headers):
        raise UserError(f"The pieces of {path} hold the same tensors twice; fetch them again from one place.")
    tokens, embedding = facts.get("tokenizer.ggml.tokens"), tensors.get("token_embd.weight")
    if not tokens or not embedding:
        raise UserError(f"{path} has no {'embedding' if tokens else 'tokenizer'}; give a language model's GGUF file.")
    if tokens > embedding.shape[1]:
        raise UserError(
            f"The tokenizer in {path} does not fit its weights: it has {tokens:,} tokens, the embedding "
            f"{embedding.shape[1]:,} rows; fetch the file again."
        )
    layout, sizes = layout_of_header(path, headers[0]), _sizes(path, headers[0])
    for said, found in _differences(sizes, tensors, layout):
        raise UserError(f"{path} is damaged: it says {said}, and its weights have {found}; fetch it again.")
    return GGUFFacts(
        pieces=tuple(pieces),
        config=gguf_config(path, headers[0], {name: tensor.shape for name, tensor in tensors.items()}),
        shape=(
            facts[f"{headers[0].architecture}.block_count"],
            facts[f"{headers[0].architecture}.feed_forward_length"],
        ),
        n_weights=sum(header.n_weights for header in headers),
        largest=max(prod(tensor.shape) for tensor in tensors.values()),
    )


def _sizes(path: Path, header: GGUFHeader) -> dict[str, int]:
    """Return the sizes that the keys state, without the architecture's name before them."""
    prefix = f"{header.architecture}."
    sizes = {
        name.removeprefix(prefix): value
        for name, value in header.facts.items()
        if name.startswith(prefix) and type(value) is int
    }
    for name in NEEDED:
        if sizes.get(name, 0) < 1:
            raise UserError(f"{path} does not say its {prefix}{name}; give a language model's GGUF file.")
    return sizes


def _differences(
    sizes: Mapping[str, int], tensors: Mapping[str, GGUFTensor], layout: MLPLayout
) -> Iterator[tuple[str, str]]:
    """Yield what the keys say and what the tensors have instead, wherever these differ."""
    blocks = {name: match for name in tensors if (match := BLOCK.fullmatch(name))}
    layers = {int(match[1]) for match in blocks.values()}
    if layers != set(range(sizes["block_count"])):
        yield f"{sizes['block_count']} layers", f"{len(layers)}"
    heads, width = sizes["attention.head_count"], sizes["embedding_length"]
    groups = sizes.get("attention.head_count_kv", heads)
    if groups < 1 or heads % groups:
        yield f"{heads} heads", f"{groups} keys for them"
    key = sizes.get("attention.key_length", width // heads)
    value = sizes.get("attention.value_length", width // heads)
    inner = sizes["feed_forward_length"]
    # By the tensor's name: what each of its two sides is called, and how long it has to be; inputs come first.
    rows = {
        "attn_q.weight": ("heads × their length", (width, heads * key)),
        "attn_k.weight": ("key heads × their length", (width, groups * key)),
        "attn_v.weight": ("key heads × their length", (width, groups * value)),
        "attn_qkv.weight": ("heads × their length", (width, heads * key + groups * (key + value))),
        "attn_output.weight": ("heads × their length", (heads * value, width)),
        "ffn_gate.weight": ("neurons", (width, inner)),
        "ffn_up.weight": ("neurons", (width, 2 * inner if layout.fused else inner)),
        "ffn_down.weight": ("neurons", (inner, width)),
    }
    for name, match in blocks.items():
        if match[2] in rows and tensors[name].shape != rows[match[2]][1]:
            what, wanted = rows[match[2]]
            yield f"{' × '.join(map(str, wanted))} for {name} ({what})", " × ".join(map(str, tensors[name].shape))
    vocabulary = sizes.get("vocab_size", tensors["token_embd.weight"].shape[1])
    for name in ("token_embd.weight", "output.weight"):
        if name in tensors and tensors[name].shape != (width, vocabulary):
            yield f"{width} × {vocabulary} for {name}", " × ".join(map(str, tensors[name].shape))
