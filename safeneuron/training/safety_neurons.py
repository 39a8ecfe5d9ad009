"""Which neurons the default model's adapter may change, and the LoRA that changes nothing else.

Tuning safety into a few neurons' own weights is SN-Tune's idea, and keeping clear of those that other
text needs is RSN-Tune's (Zhao et al., ICLR 2025; paper.md 5.2). Here the few are, in every layer, the
neurons that already fire more on harmful prompts than on others, among the half of the layer that
safe prompts use least.
"""

from collections.abc import Sequence

import numpy as np
import torch
from peft import PeftModel

from safeneuron.activations import collect
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts.builtin import benign, harmful, twins
from safeneuron.scores.es import effect_size
from safeneuron.statistics import ActivationStatistics


def tunable_neurons(base: LoadedModel, layers: Sequence[int], per_layer: int, progress: Progress = silent) -> NeuronSet:
    """Return ``per_layer`` neurons of each layer: the highest ES among the half that is used least.

    ES is taken between the harmful prompts and the safe ones, benign and twins; use is
    :func:`output_size` on the safe ones. Built-in ``train`` part, last-token pooling.
    """
    safe = benign("train").prompts + twins("train").prompts
    on_harmful = collect(base, harmful("train").prompts, progress=progress, step="Reading harmful prompts")
    on_safe = collect(base, safe, progress=progress, step="Reading safe prompts")
    use = output_size(base, on_safe)
    effect = effect_size(on_harmful, on_safe)
    effect[use >= np.median(use, axis=1, keepdims=True)] = -np.inf
    chosen = {(layer, int(index)) for layer in layers for index in np.argsort(-effect[layer])[:per_layer]}
    return NeuronSet("tunable", base.fingerprint, base.shape, frozenset(chosen), {"per layer": per_layer})


def output_size(loaded: LoadedModel, statistics: ActivationStatistics) -> np.ndarray:
    """Return how much each neuron adds to the residual stream ``[n_layers, d_mlp]``.

    The root mean square of its activation times the length of its column of the down-projection,
    which is Wanda's importance (Sun et al. 2023) summed over the column's weights in quadrature.
    """
    mean_square = statistics.mean**2 + statistics.variance * (statistics.count - 1) / statistics.count
    columns = [block.parameters[-1] for block in mlp_blocks(loaded.model)]
    lengths = torch.stack([weight.detach().norm(dim=1 - tensor.axis) for weight, tensor in columns])
    return np.sqrt(mean_square) * lengths.double().cpu().numpy()


@torch.no_grad()
def tie_to_neurons(model: PeftModel, neurons: NeuronSet) -> None:
    """Let a LoRA adapter change the gate and up rows and down columns of these neurons, and only them.

    A LoRA of rank r adds B A. With the rows of B (for the down-projection, the columns of A) fixed to
    pick r neurons and the other factor trained from zero, B A is a free change of just those neurons,
    in the format that PEFT reads.

    Parameters
    ----------
    model : PeftModel
        Of a gated family without fused matrices, as the default model's is, with one adapter on the
        gate, up and down projections of every layer that the set has neurons in, of a rank equal to
        the set's count in each layer.
    neurons : NeuronSet
    """
    blocks = mlp_blocks(model.get_base_model())
    for layer, indices in neurons.by_layer().items():
        rank = torch.arange(len(indices))
        for projection in (blocks[layer].gate, blocks[layer].up):
            _tie(projection.lora_B, (torch.tensor(indices), rank), projection.lora_A)
        _tie(blocks[layer].down.lora_A, (rank, torch.tensor(indices)), blocks[layer].down.lora_B)


def _tie(fixed: torch.nn.ModuleDict, ones: tuple[torch.Tensor, torch.Tensor], trained: torch.nn.ModuleDict) -> None:
    for factor in fixed.values():
        factor.weight.zero_()
        factor.weight[ones] = 1.0
        factor.weight.requires_grad_(False)
    for factor in trained.values():
        factor.weight.zero_()
