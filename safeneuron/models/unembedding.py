"""From the residual stream to the vocabulary: the final norm and the unembedding of a model.

What a model does behind its last layer, in the model's own modules, so that it can be done to any
vector of the residual stream: the logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens")
and direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from safeneuron.models.layout import layout_of
from safeneuron.models.loaded import LoadedModel


@dataclass(frozen=True)
class Unembedding:
    """What follows the last layer: ``logits = cap(head(projection(norm(residual))) / divisor)``.

    Parameters
    ----------
    norm : nn.Module or None
        The final norm; None in the few models that have none.
    projection : nn.Module or None
        From the residual stream to narrower embeddings, in some OPT models.
    head : nn.Module
        The unembedding, be it tied to the embedding or not.
    d_model : int
        Width of the residual stream.
    divisor : float
        Granite divides its logits by this.
    soft_cap : float or None
        Gemma 2 keeps its logits within plus and minus this, by a tanh.
    """

    norm: nn.Module | None
    projection: nn.Module | None
    head: nn.Module
    d_model: int
    divisor: float = 1.0
    soft_cap: float | None = None

    def logits(self, residual: torch.Tensor) -> torch.Tensor:
        """Return the next-token logits of residual streams ``[..., d_model]``, in float32 or better."""
        return self.capped(self.uncapped(residual))

    def uncapped(self, residual: torch.Tensor) -> torch.Tensor:
        """Return the logits before the soft cap; the same where a model has none."""
        return self.unembedded(self.normalised(residual))

    def capped(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits with the model's soft cap on them."""
        return logits if self.soft_cap is None else self.soft_cap * torch.tanh(logits / self.soft_cap)

    def normalised(self, residual: torch.Tensor) -> torch.Tensor:
        """Return residual streams as the final norm leaves them."""
        return residual if self.norm is None else self.norm(_beside(self.norm, residual))

    def unembedded(self, normalised: torch.Tensor) -> torch.Tensor:
        """Return uncapped logits ``[..., vocabulary]`` of vectors that the final norm has left."""
        for module in filter(None, (self.projection, self.head)):
            normalised = module(_beside(module, normalised))
        return _wide(normalised) / self.divisor

    @property
    def centres(self) -> bool:
        """Whether the norm takes the mean over the coordinates away first (LayerNorm)."""
        return isinstance(self.norm, nn.LayerNorm)

    def gain(self) -> torch.Tensor:
        """Return what the norm multiplies each coordinate by, ``[d_model]``, apart from dividing by its scale."""
        if self.norm is None:
            return torch.ones(self.d_model)
        if self.centres:
            weight = self.norm.weight
            return torch.ones(self.d_model) if weight is None else _wide(weight)
        # Root mean square norms keep the gain or, Gemma's, the gain less 1. Asked for it by a vector whose root
        # mean square is 1024, beside which their epsilon is nothing, all of them tell it.
        probe = torch.full((self.d_model,), 1024.0, dtype=self.head.weight.dtype)
        return _wide(self.norm(_beside(self.norm, probe)))

    def bias(self) -> torch.Tensor:
        """Return what the norm adds in the end ``[d_model]``; zeros in most families."""
        bias = getattr(self.norm, "bias", None)
        return torch.zeros(self.d_model) if bias is None else _wide(bias)

    def contrast(self, token_ids: Sequence[int]) -> tuple[torch.Tensor, float]:
        """Return the direction in which some tokens' mean logit leaves the mean of all logits.

        Returns
        -------
        direction : torch.Tensor
            ``[d_model]``, float64 on the CPU: its product with a vector that the final norm has left is
            the mean of the tokens' uncapped logits less the mean of all, but for ``constant``.
        constant : float
            What the unembedding's bias adds to it.
        """
        weight, bias = self.head.weight, getattr(self.head, "bias", None)
        # The sums' type is given here, since a copy of the whole matrix in float32 may not fit.
        direction = (
            _wide(weight[list(token_ids)]).mean(dim=0) - weight.mean(dim=0, dtype=_wide(weight[:1]).dtype)
        ).cpu()
        constant = 0.0 if bias is None else float(_wide(bias[list(token_ids)]).mean() - _wide(bias).mean())
        direction = direction.double()
        if self.projection is not None:
            direction = direction @ self.projection.weight.cpu().double()
        return direction / self.divisor, constant / self.divisor


def unembedding_of(loaded: LoadedModel) -> Unembedding:
    """Return the final norm and the unembedding of a model, which share its weights."""
    model = loaded.model
    layout, config = layout_of(model), model.config.get_text_config()
    return Unembedding(
        norm=_module(model, layout.final_norm),
        projection=_module(model, layout.projection) if layout.projection else None,
        head=model.get_output_embeddings(),
        d_model=config.hidden_size,
        divisor=getattr(config, "logits_scaling", 1.0),
        soft_cap=getattr(config, "final_logit_softcapping", None),
    )


def effects_on_logits(loaded: LoadedModel, vectors: torch.Tensor, rows: int = 64) -> Iterator[torch.Tensor]:
    """Yield the logits of any vectors of the residual stream, a few rows of ``[n, vocabulary]`` at a time.

    Through the final norm's gain alone and the unembedding: no dividing by the norm's scale, which
    depends on everything else in the stream, no bias, no soft cap. LayerNorm's centring and Granite's
    division of the logits are in it. So it is linear in the vector, right in its ranking of tokens,
    and in logits only after division by the scale at some position. Less its mean over the
    vocabulary, since the softmax sees differences alone.

    Parameters
    ----------
    loaded : LoadedModel
    vectors : torch.Tensor
        ``[n, d_model]``, such as the columns of a down-projection (a neuron's output weights, rows of
        TransformerLens' ``W_out``). Where a norm follows the down-projection (Gemma, OLMo 2), what
        enters the stream is the column times that norm's gain.
    rows : int
        How many at a time.
    """
    unembedding = unembedding_of(loaded)
    gain = unembedding.gain()
    none = unembedding.unembedded(torch.zeros(1, unembedding.d_model, dtype=loaded.model.dtype))
    for chunk in vectors.split(rows):
        chunk = _wide(chunk).to(gain.device)
        if unembedding.centres:
            chunk = chunk - chunk.mean(dim=-1, keepdim=True)
        logits = unembedding.unembedded((gain * chunk).to(loaded.model.dtype)) - none
        yield logits - logits.mean(dim=-1, keepdim=True)


def _module(model: nn.Module, name: str) -> nn.Module | None:
    """Return a submodule, or None where this variant of the family has none."""
    parent, _, last = name.rpartition(".")
    return getattr(model.get_submodule(parent), last)


def _beside(module: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Return values on the device of a module's weights: layers may lie on several."""
    weight = next(module.parameters(), values)
    return values.to(weight.device)


def _wide(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
