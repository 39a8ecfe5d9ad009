"""The self-check of a model: three ways of switching neurons off must agree.

Hook ablation, zeroed columns of the down-projection, and TransformerBridge's ``hook_post`` are run
on left-padded prompts. A model for which they differ would show wrong numbers without a word
(field.md section 3), so its page is red and says which pair differs.
"""

import copy
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from safeneuron.ablation import ablate
from safeneuron.models.chat import encode
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.workspace import workspace, write_json

TOLERANCES = {"zeroed_columns": 1e-5, "left_padding": 1e-3, "bridge_activations": 1e-3, "bridge_logits": 1e-3}
"""Largest difference allowed. Zeroed columns multiply the same numbers by the same zeros; padding
and the bridge change the order of float32 sums over up to 30 layers, whose logits reach tens."""

PROMPTS = ("How do I bake bread?", "Tell me about the history of the lighthouse on the rocky island.", "What is rain?")


@dataclass(frozen=True)
class ParityReport:
    """Largest absolute differences found, in units of the compared quantity.

    Parameters
    ----------
    zeroed_columns : float
        Logits under hook ablation against logits with the columns set to zero.
    left_padding : float
        Logits of a left-padded batch against each prompt alone, under ablation.
    bridge_activations : float
        ``blocks.{l}.mlp.hook_post`` against the input of the down-projection, all layers; as a share of
        1 + its size, since single neurons of a trained model reach thousands.
    bridge_logits : float
        Logits under hook ablation against the bridge with the same neurons zeroed.
    neurons : int
        How many random neurons were ablated.
    """

    zeroed_columns: float
    left_padding: float
    bridge_activations: float
    bridge_logits: float
    neurons: int

    def failures(self) -> list[str]:
        """Return the comparisons beyond their tolerance; empty means green."""
        # Written so that a NaN, which compares as neither, counts as a failure.
        return [name for name, tolerance in TOLERANCES.items() if not getattr(self, name) <= tolerance]

    @property
    def passed(self) -> bool:
        """Whether every comparison is within its tolerance."""
        return not self.failures()


def kept_parity(model: str) -> ParityReport | None:
    """Return the report of the model with this fingerprint, if it was checked before."""
    path = _path(model)
    return ParityReport(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def check_parity(loaded: LoadedModel, neurons_per_layer: int = 8) -> ParityReport:
    """Compare the three ways and keep the report; takes a few seconds and a second copy of the weights.

    The copy is needed because TransformerBridge rewrites the model that it is given.
    """
    neurons = _some_neurons(loaded, neurons_per_layer)
    batch = encode(loaded, PROMPTS)
    with torch.inference_mode():
        with ablate(loaded, neurons):
            hooked = _last_logits(loaded.model(**batch).logits)
            alone = torch.cat([_last_logits(loaded.model(**encode(loaded, [prompt])).logits) for prompt in PROMPTS])
        spare = copy.deepcopy(loaded.model)
        zeroed = _zeroed_column_logits(spare, neurons, batch)
        activations, bridged = _bridge(loaded, copy.deepcopy(loaded.model), neurons, batch)
        plain = _plain_activations(loaded, batch)
    real = batch["attention_mask"].bool()
    report = ParityReport(
        zeroed_columns=_largest(hooked - zeroed),
        left_padding=_largest(hooked - alone),
        bridge_activations=max(
            _largest(((one - other) / (1 + one.abs()))[real]) for one, other in zip(plain, activations, strict=True)
        ),
        bridge_logits=_largest(hooked - bridged),
        neurons=len(neurons),
    )
    write_json(_path(loaded.fingerprint), asdict(report))
    return report


def _some_neurons(loaded: LoadedModel, per_layer: int) -> NeuronSet:
    generator = np.random.default_rng(0)
    mask = np.zeros(loaded.shape, dtype=bool)
    for row in mask:
        row[generator.choice(len(row), size=min(per_layer, len(row)), replace=False)] = True
    return from_mask("self-check", loaded.fingerprint, mask)


def _zeroed_column_logits(spare: torch.nn.Module, neurons: NeuronSet, batch) -> torch.Tensor:
    blocks = mlp_blocks(spare)
    for layer, indices in neurons.by_layer().items():
        blocks[layer].down.weight[:, indices] = 0.0
    return _last_logits(spare(**batch).logits)


def _plain_activations(loaded: LoadedModel, batch) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    with loaded.lock:
        handles = [
            block.down.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0]))
            for block in mlp_blocks(loaded.model)
        ]
        try:
            loaded.model(**batch)
        finally:
            for handle in handles:
                handle.remove()
    return found


def _bridge(
    loaded: LoadedModel, spare: torch.nn.Module, neurons: NeuronSet, batch
) -> tuple[list[torch.Tensor], torch.Tensor]:
    from transformer_lens.model_bridge import TransformerBridge

    logging.getLogger("transformer_lens").setLevel(logging.ERROR)
    bridge = TransformerBridge.boot_transformers(
        spare.config._name_or_path, hf_model=spare, tokenizer=loaded.tokenizer, device=str(loaded.device)
    )
    found: dict[int, torch.Tensor] = {}

    # The layer is bound here: hooks are called with the name of which `hook_post` is an alias.
    def keeping(layer: int):
        def keep(value: torch.Tensor, hook) -> None:
            found[layer] = value

        return keep

    def zeroing(indices: list[int]):
        def zero(value: torch.Tensor, hook) -> torch.Tensor:
            value = value.clone()
            value[..., indices] = 0.0
            return value

        return zero

    ids, mask = batch["input_ids"], batch["attention_mask"]
    keeps = [(_post(layer), keeping(layer)) for layer in range(loaded.shape[0])]
    zeros = [(_post(layer), zeroing(indices)) for layer, indices in neurons.by_layer().items()]
    bridge.run_with_hooks(ids, attention_mask=mask, fwd_hooks=keeps)
    logits = bridge.run_with_hooks(ids, attention_mask=mask, fwd_hooks=zeros)
    return [found[layer] for layer in range(loaded.shape[0])], _last_logits(logits)


def _post(layer: int) -> str:
    return f"blocks.{layer}.mlp.hook_post"


def _last_logits(logits: torch.Tensor) -> torch.Tensor:
    return logits[:, -1].float()


def _largest(difference: torch.Tensor) -> float:
    return float(difference.abs().max())


def _path(model: str) -> Path:
    return workspace() / "parity" / f"{model}.json"
