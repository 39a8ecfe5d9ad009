"""The self-check of a model: three ways of switching neurons off must agree.

Hook ablation, zeroed columns of the down-projection, and TransformerBridge's ``hook_post`` are run
on left-padded prompts. A model for which they differ would show wrong numbers without a word
(field.md section 3), so its page is red and says which pair differs.
"""

import copy
import logging

import numpy as np
import torch

from safeneuron.ablation import ablate
from safeneuron.models.chat import encode
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.parity_report import ParityReport, keep_parity, kept_parity, refuse_if_red
from safeneuron.neurons import NeuronSet, from_mask
from safeneuron.progress import Progress, silent

PROMPTS = ("How do I bake bread?", "Tell me about the history of the lighthouse on the rocky island.", "What is rain?")


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
    keep_parity(loaded.fingerprint, report)
    return report


def require_parity(loaded: LoadedModel, progress: Progress = silent) -> None:
    """Let only a model pass whose numbers can be trusted; checked once, then read from disk.

    Raises
    ------
    UserError
        When the three ways of switching neurons off disagree on it.
    """
    if kept_parity(loaded.fingerprint) is None:
        progress("Checking the model (once)", 0.0)
        check_parity(loaded)
        progress("Checking the model (once)", 1.0)
    refuse_if_red(loaded.card)


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
