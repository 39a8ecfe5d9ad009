"""How many parameters a model has, before any is read: from the heads of its files, or from its config alone.

Needs neither torch nor transformers, so that a page can say what a model will cost before it opens it.
"""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from math import prod
from typing import Any

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import model_card, weights_folder
from safeneuron.models.config_file import CONFIG, read_config
from safeneuron.models.gguf_check import GGUFFacts, check_gguf
from safeneuron.models.layout import layout_of_config
from safeneuron.models.model_files import tensor_shapes, weight_files
from safeneuron.models.names import is_gguf, path_of


@dataclass(frozen=True)
class Architecture:
    """The sizes of a decoder-only language model.

    Parameters
    ----------
    n_layers, d_model, d_mlp, vocabulary, heads, key_value_heads, head_dim : int
    gated : bool
        Whether the MLP is ``down(act(gate(x)) * up(x))`` and not ``down(act(up(x)))``.
    tied : bool
        Whether the unembedding is the embedding.
    d_embedding : int
        Width of the embedding; another than ``d_model`` in opt-350m, which projects it.
    positions : int
        Learned position embeddings; 0 where positions are rotary.
    """

    n_layers: int
    d_model: int
    d_mlp: int
    vocabulary: int
    heads: int
    key_value_heads: int
    head_dim: int
    gated: bool
    tied: bool
    d_embedding: int
    positions: int = 0

    @property
    def layer_parameters(self) -> int:
        """Parameters of all layers, which every token passes."""
        attention = 2 * self.d_model * self.head_dim * (self.heads + self.key_value_heads)
        mlp = (3 if self.gated else 2) * self.d_model * self.d_mlp
        # Norms, and biases where there is no gate, are some thousandths; these are upper bounds.
        small = 4 * self.d_model if self.gated else 9 * self.d_model + self.d_mlp
        return self.n_layers * (attention + mlp + small)

    def adapter_parameters(self, rank: int) -> int:
        """Return the parameters of a LoRA adapter of this rank on all linear modules of the layers."""
        attention = 4 * self.d_model + 2 * self.head_dim * (self.heads + self.key_value_heads)
        mlp = (3 if self.gated else 2) * (self.d_model + self.d_mlp)
        return self.n_layers * rank * (attention + mlp)

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding; as many again in the unembedding."""
        return self.vocabulary * self.d_embedding

    @property
    def parameters(self) -> int:
        """All parameters, within 1 % of the real count for models of more than 50 million."""
        projections = 2 * self.d_embedding * self.d_model if self.d_embedding != self.d_model else 0
        embeddings = self.embedding_parameters * (1 if self.tied else 2)
        return self.layer_parameters + embeddings + projections + self.positions * self.d_model


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the sizes that a ``config.json`` states.

    Raises
    ------
    UserError
        When it does not state them.
    """
    text, layout = config.get("text_config") or config, layout_of_config(config)
    try:
        d_model = _first(text, "hidden_size", "n_embd")
        heads = _first(text, "num_attention_heads", "n_head")
        # Falcon's newer models group their heads, whatever else they say.
        grouped = text.get("new_decoder_architecture") and (_given(text, "num_kv_heads") or heads)
        shared = 1 if text.get("multi_query", layout.multi_query) else heads
        tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings"))
        return Architecture(
            n_layers=_first(text, "num_hidden_layers", "n_layer"),
            d_model=d_model,
            d_mlp=_given(text, layout.d_mlp) or layout.widths * d_model,
            vocabulary=_first(text, "vocab_size"),
            heads=heads,
            key_value_heads=_given(text, "num_key_value_heads") or grouped or shared,
            head_dim=_given(text, "head_dim") or d_model // heads,
            gated=layout.gate is not None,
            tied=layout.tied if tied is None else bool(tied),
            d_embedding=_given(text, "word_embed_proj_dim") or d_model,
            positions=layout.learned_positions and _given(text, "n_positions", "max_position_embeddings") or 0,
        )
    except KeyError as error:
        raise UserError(
            f"The model's config.json does not say {error.args[0]}, so what it costs cannot be reckoned; "
            "fetch the model again."
        ) from None


def architecture_of(card: ModelCard) -> Architecture | None:
    """Return the sizes of a model, or None while neither its config nor its GGUF file is on this machine."""
    config = config_of(card)
    return architecture(config) if config else None


def config_of(card: ModelCard) -> Mapping[str, Any] | None:
    """Return a model's config, or None while neither it nor the model's GGUF file is on this machine.

    Raises
    ------
    UserError
        When the config of a model that is ready is damaged; another's is made anew before the model is opened.
    """
    unread = conversion_of(card)
    if unread:
        return unread.config
    folder = weights_folder(_base(card))
    with nullcontext() if card.ready else suppress(UserError):
        return read_config(folder) if folder and (folder / CONFIG).is_file() else None
    return None


def conversion_of(card: ModelCard) -> GGUFFacts | None:
    """Return what the GGUF file of a model says that has to be converted before it opens, or None for any other."""
    base = _base(card)
    return None if base.ready or not is_gguf(base.source) else check_gguf(path_of(base.source))


def model_type_of(card: ModelCard) -> str | None:
    """Return the ``model_type`` that a model's config states, or None while it is not on this machine."""
    folder = weights_folder(_base(card))
    try:
        config = read_config(folder) if folder else {}
    except UserError:
        return None
    return (config.get("text_config") or config).get("model_type")


def parameters_in_files(card: ModelCard) -> int | None:
    """Return the exact number of weights, or None while their files are not on this machine.

    Only the headers of the files are read, those of a GGUF file too. Tied weights that a file holds twice are
    counted twice, which files that transformers wrote never do.

    Raises
    ------
    UserError
        When a weight file is damaged or missing.
    """
    unread = conversion_of(card)
    if unread:
        return unread.n_weights
    folder = weights_folder(_base(card))
    # What lies in a folder that is not ready is damaged, and made anew before it is opened.
    files = weight_files(folder) if folder and card.ready else []
    return sum(prod(shape) for path in files for shape in tensor_shapes(path).values()) if files else None


def _base(card: ModelCard) -> ModelCard:
    """Return the model whose files the weights lie in; merging an adapter changes those and adds none."""
    card = card.plain or card
    return _base(model_card(card.parent)) if weights_folder(card) is None and card.parent else card


def _given(config: Mapping[str, Any], *names: str) -> int | None:
    return next((config[name] for name in names if config.get(name)), None)


def _first(config: Mapping[str, Any], *names: str) -> int:
    found = _given(config, *names)
    if found is None:
        raise KeyError(" or ".join(names))
    return found
