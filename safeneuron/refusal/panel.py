"""The refusal meter: a fixed panel of prompts whose refusal scores follow every switch.

The residual stream that enters each layer is kept from one full pass of the unablated model, so a
switch in layer l costs only the layers from l on. Neither neurons before l nor what they wrote
change, so the result is that of a full pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from safeneuron.ablation import ablate
from safeneuron.models.chat import encode
from safeneuron.models.layout import decoder_layers, layout_of
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.log_odds import log_odds, refusal_token_ids


@dataclass(frozen=True)
class LayerCall:
    """What a decoder layer was called with: the residual stream ``[n, tokens, d_model]`` and the rest."""

    residual: torch.Tensor
    rest: tuple
    options: dict


class Panel:
    """Refusal scores of some prompts under any ablation.

    Parameters
    ----------
    loaded : LoadedModel
    prompts : sequence of str
        Kept small: 16 prompts of 40 tokens take about 45 MB in a 30-layer model of width 576.
    """

    def __init__(self, loaded: LoadedModel, prompts: Sequence[str]) -> None:
        self.loaded = loaded
        self.prompts = tuple(prompts)
        self._tokens = refusal_token_ids(loaded)
        self._layers = decoder_layers(loaded.model)
        self._norm = loaded.model.get_submodule(layout_of(loaded.model).final_norm)
        self._calls = self._full_pass()
        self.original = self.scores(None)

    @torch.inference_mode()
    def scores(self, neurons: NeuronSet | None) -> np.ndarray:
        """Return the refusal score of every prompt ``[n]`` with the neurons ablated."""
        first = min(neurons.by_layer(), default=len(self._layers)) if neurons else len(self._layers)
        # With nothing to recompute the last layer is run once more, so that one path serves both.
        first = min(first, len(self._layers) - 1)
        with ablate(self.loaded, neurons):
            residual = self._calls[first].residual
            for layer, call in zip(self._layers[first:], self._calls[first:], strict=True):
                residual = layer(residual, *call.rest, **call.options)
            logits = self.loaded.model.get_output_embeddings()(self._norm(residual[:, -1]))
        return log_odds(logits, self._tokens).cpu().numpy()

    @torch.inference_mode()
    def _full_pass(self) -> list[LayerCall]:
        calls: list[LayerCall] = []

        def keep(module: torch.nn.Module, inputs: tuple, options: dict) -> None:
            residual, *rest = inputs
            calls.append(LayerCall(residual, tuple(rest), options))

        encoded = encode(self.loaded, self.prompts)
        with self.loaded.lock:
            handles = [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in self._layers]
            try:
                self.loaded.model.base_model(**encoded, use_cache=False)
            finally:
                for handle in handles:
                    handle.remove()
        return calls
