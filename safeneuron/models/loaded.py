"""A model in memory, with what the rest of safeneuron needs to know of it."""

from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from safeneuron.models.card import ModelCard
from safeneuron.models.turns import Turns


@dataclass(frozen=True)
class LoadedModel:
    """A causal language model ready for scoring, ablation and generation.

    Parameters
    ----------
    card : ModelCard
    model : PreTrainedModel
        In evaluation mode. Hooks are the only change anyone may make to it.
    tokenizer : PreTrainedTokenizerBase
        With a chat template and a padding token.
    lock : Turns
        Held while hooks are on the model or it generates, so that browser sessions that share the model take
        turns, first come, first served, and never see each other's ablation.
    """

    card: ModelCard
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    lock: Turns = field(default_factory=Turns, compare=False)

    @property
    def fingerprint(self) -> str:
        """Names the weights and the chat template."""
        return self.card.fingerprint

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_layers, d_mlp)``, the grid of neurons."""
        return self.card.shape

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def bytes(self) -> int:
        """Memory that the weights take, each shared tensor counted once."""
        tensors = {tensor.data_ptr(): tensor.nbytes for tensor in self.model.state_dict().values()}
        return sum(tensors.values())
