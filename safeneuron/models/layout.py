"""Where the MLP neurons of a model family are.

A neuron (l, j) is coordinate j of the input of layer l's MLP down-projection, that is
``act(gate) * up`` in a gated MLP (SafeNeuron, arXiv 2602.12158, Eq. 2-3; TransformerLens calls it
``blocks.{l}.mlp.hook_post``). Row j of the gate and up projections and column j of the
down-projection belong to it.
"""

from dataclasses import dataclass

from torch import nn

from safeneuron.errors import UserError
from safeneuron.registry import discover


@dataclass(frozen=True)
class MLPLayout:
    """The module names of one family of architectures.

    Parameters
    ----------
    model_types : tuple of str
        Values of ``config.model_type`` that this layout describes.
    layers : str
        Dotted name of the list of decoder layers.
    final_norm : str
        Dotted name of the norm between the last layer and the unembedding.
    gate, up, down : str
        Names of the three projections inside one layer; ``nn.Linear``, so weights are
        ``[out_features, in_features]``.
    """

    model_types: tuple[str, ...]
    layers: str
    final_norm: str
    gate: str
    up: str
    down: str


@dataclass(frozen=True)
class MLPBlock:
    """The projections of one layer: gate and up are ``[d_mlp, d_model]``, down is ``[d_model, d_mlp]``."""

    gate: nn.Linear
    up: nn.Linear
    down: nn.Linear


def layout_of(model: nn.Module) -> MLPLayout:
    """Return the layout of a Hugging Face causal language model; see :func:`layout_of_type`."""
    return layout_of_type(model.config.model_type)


def layout_of_type(model_type: str) -> MLPLayout:
    """Return the layout of an architecture, by its ``config.model_type``.

    Raises
    ------
    UserError
        When no file in ``safeneuron/models/families`` describes the architecture.
    """
    layouts = discover("safeneuron.models.families", "LAYOUT")
    for layout in layouts:
        if model_type in layout.model_types:
            return layout
    known = sorted(name for layout in layouts for name in layout.model_types)
    raise UserError(
        f"safeneuron does not know where the MLP neurons of a {model_type!r} model are; "
        f"choose a model of one of these families: {', '.join(known)}."
    )


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """Return the decoder layers, first to last."""
    return list(model.get_submodule(layout_of(model).layers))


def mlp_blocks(model: nn.Module) -> list[MLPBlock]:
    """Return the projections of every layer, first to last."""
    layout = layout_of(model)
    return [
        MLPBlock(
            gate=layer.get_submodule(layout.gate),
            up=layer.get_submodule(layout.up),
            down=layer.get_submodule(layout.down),
        )
        for layer in decoder_layers(model)
    ]
