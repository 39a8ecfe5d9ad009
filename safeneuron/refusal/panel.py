"""The refusal meter: a fixed panel of prompts whose refusal scores follow every switch.

What every layer answered is kept from one full pass of the unablated model. Under an ablation that
begins in layer l the layers before l give that answer again without computing, so a switch costs
only the layers from l on. Neither neurons before l nor what they wrote change, so the result is that
of a full pass, in every family: masks, positions, the final norm and what a family does to its logits
are the model's own forward pass.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from safeneuron.ablation import ablate
from safeneuron.models.chat import encode
from safeneuron.models.layout import decoder_layers
from safeneuron.models.loaded import LoadedModel
from safeneuron.neurons import NeuronSet
from safeneuron.refusal.log_odds import log_odds, refusal_token_ids


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
        self._batch = encode(loaded, self.prompts)
        self._answers: list[object] = []
        with loaded.lock, self._keeping():
            self.original = self._scores()

    def scores(self, neurons: NeuronSet | None) -> np.ndarray:
        """Return the refusal score of every prompt ``[n]`` with the neurons ablated."""
        first = min(neurons.by_layer(), default=len(self._layers)) if neurons else len(self._layers)
        with ablate(self.loaded, neurons), self._answering(first):
            return self._scores()

    @torch.inference_mode()
    def _scores(self) -> np.ndarray:
        logits = self.loaded.model(**self._batch, use_cache=False, logits_to_keep=1).logits[:, -1]
        return log_odds(logits, self._tokens).cpu().numpy()

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Keep what each layer answers, the residual stream ``[n, tokens, d_model]`` and whatever else."""
        handles = [
            layer.register_forward_hook(lambda module, inputs, answer: self._answers.append(answer))
            for layer in self._layers
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _answering(self, first: int) -> Iterator[None]:
        """Let the layers before ``first`` answer what was kept of them."""
        skipped = self._layers[:first]
        # Where a model is spread over several devices, a layer carries a `forward` of its own already.
        own = [vars(layer).get("forward") for layer in skipped]
        for layer, answer in zip(skipped, self._answers[:first], strict=True):
            layer.forward = lambda *inputs, answer=answer, **options: answer
        try:
            yield
        finally:
            for layer, forward in zip(skipped, own, strict=True):
                if forward is None:
                    del layer.forward
                else:
                    layer.forward = forward
