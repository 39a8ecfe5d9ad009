"""A neuron's card, part by part: what the kept activations tell, and what was measured of this neuron before."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safeneuron.errors import UserError
from safeneuron.neuron_card.categories import CategoryMeans, category_means
from safeneuron.neuron_card.distributions import Distributions, distributions
from safeneuron.neuron_card.effect import Effect, effect
from safeneuron.neuron_card.extremes import Extremes, extremes
from safeneuron.neuron_card.keeping import keep_part, kept_part
from safeneuron.neuron_card.neighbours import Neighbour, Neighbours, correlated
from safeneuron.neuron_card.output_weight import OutputWeight, output_weight
from safeneuron.neuron_card.records import Records
from safeneuron.neuron_card.tokens import TokenActivations, extreme_tokens, token_activations
from safeneuron.neurons import Neuron
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel
    from safeneuron.refusal.panel import Panel


@dataclass(frozen=True)
class Activity:
    """What the records tell of a neuron; needs no model.

    Parameters
    ----------
    distributions : Distributions
    extremes : Extremes
    categories : tuple of CategoryMeans
    together : tuple of Neighbour
        Neurons of the same layer that are active on the same prompts.
    """

    distributions: Distributions
    extremes: Extremes
    categories: tuple[CategoryMeans, ...]
    together: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Examination:
    """What was measured of one neuron; None for what was not yet.

    Parameters
    ----------
    weight : OutputWeight or None
    effect : Effect or None
    tokens : tuple of TokenActivations or None
        The prompts of :class:`Extremes`, the most active first.
    together : tuple of Neighbour or None
        Neurons of all layers that are active on the same prompts.
    """

    weight: OutputWeight | None
    effect: Effect | None
    tokens: tuple[TokenActivations, ...] | None
    together: tuple[Neighbour, ...] | None

    def complete(self, records: Records | None) -> bool:
        """Return whether all is there that can be had, with the records or while there are none."""
        own = self.weight is not None and self.effect is not None
        return own and (records is None or (self.tokens is not None and self.together is not None))


def name_of(neuron: Neuron) -> str:
    """Return a neuron as people write it, such as 15:766."""
    return f"{neuron[0]}:{neuron[1]}"


def check_neuron(neuron: Neuron, shape: tuple[int, int]) -> None:
    """Refuse a neuron that a model of this shape ``(n_layers, d_mlp)`` does not have.

    Raises
    ------
    UserError
        Saying which there are.
    """
    (layer, index), (layers, width) = neuron, shape
    if not (0 <= layer < layers and 0 <= index < width):
        raise UserError(
            f"Neuron {layer}:{index} does not exist in this model: it has layers 0 to {layers - 1} with neurons 0 to "
            f"{width - 1}; choose another."
        )


def activity(records: Records, neuron: Neuron) -> Activity:
    """Return what the records tell of a neuron; reads one layer."""
    return Activity(
        distributions(records, neuron),
        extremes(records, neuron),
        category_means(records, neuron),
        correlated(records, neuron, [neuron[0]]),
    )


def kept_examination(model: str, neuron: Neuron, records: Records | None) -> Examination:
    """Return what was measured before of a neuron of the model with this fingerprint; needs no model in memory."""
    found = {name: kept_part(*depends) for name, depends in _depends(model, neuron, records).items()}
    weight, effect_found, tokens, together = (found.get(name) for name in ("weight", "effect", "tokens", "together"))
    return Examination(
        OutputWeight.from_json(weight) if weight else None,
        Effect.from_json(effect_found) if effect_found else None,
        tuple(_tokens_from(row) for row in tokens["prompts"]) if tokens else None,
        tuple(Neighbour(**row) for row in together["neurons"]) if together else None,
    )


def examine(
    loaded: "LoadedModel", panel: "Panel", neuron: Neuron, records: Records | None, progress: Progress = silent
) -> Examination:
    """Measure what is not known yet of a neuron, keep it part by part, and return all.

    Parameters
    ----------
    panel : Panel
        See :func:`~safeneuron.neuron_card.effect.effect`.
    records : Records or None
        Without them there are no prompts to read token by token and no activations to compare.

    Raises
    ------
    UserError
        When the model has no such neuron.
    """
    check_neuron(neuron, loaded.shape)
    depends = _depends(loaded.fingerprint, neuron, records)
    kept = kept_examination(loaded.fingerprint, neuron, records)
    if kept.weight is None:
        keep_part(output_weight(loaded, neuron, progress).to_json(), *depends["weight"])
    if records is not None and kept.tokens is None:
        ends = extremes(records, neuron)
        prompts = [one.prompt for one in (*ends.most, *ends.least)]
        rows = token_activations(loaded, neuron, prompts, progress=progress)
        keep_part({"prompts": [asdict(row) for row in rows]}, *depends["tokens"])
    if records is not None and kept.together is None:
        found = correlated(records, neuron, range(records.shape[0]), progress=progress)
        keep_part({"neurons": [asdict(one) for one in found]}, *depends["together"])
    if kept.effect is None:
        keep_part(effect(loaded, panel, neuron, progress).to_json(), *depends["effect"])
    return kept_examination(loaded.fingerprint, neuron, records)


def _depends(model: str, neuron: Neuron, records: Records | None) -> dict[str, tuple[Any, ...]]:
    """Return what each part depends on."""
    found = {
        "weight": ("weight", model, neuron),
        "effect": ("effect", model, neuron, [part.prompts for part in builtin.panel()]),
    }
    if records is not None:
        found |= {name: (name, model, neuron, records.fingerprint) for name in ("tokens", "together")}
    return found


def _tokens_from(row: dict[str, Any]) -> TokenActivations:
    return TokenActivations(row["prompt"], *(tuple(row[name]) for name in ("tokens", "special", "activations")))


def card_json(neuron: Neuron, records: Records, found: Activity, examined: Examination) -> dict[str, Any]:
    """Return every number of a complete card, as the command line prints it."""
    shown, weight, (layers, width) = found.distributions, examined.weight, records.shape
    together = Neighbours(found.together, examined.together)
    return {
        "layer": neuron[0],
        "index": neuron[1],
        "effect_size": shown.effect_size,
        "effect_size_interval": [shown.low, shown.high],
        "activations": {"harmful": shown.harmful.tolist(), "benign": shown.benign.tolist()},
        "categories": [asdict(one) for one in found.categories],
        "most_active": [asdict(one) for one in found.extremes.most],
        "least_active": [asdict(one) for one in found.extremes.least],
        "tokens": [asdict(row) for row in examined.tokens],
        "extreme_tokens": asdict(extreme_tokens(examined.tokens)),
        "output_weight": {
            "norm": weight.norm,
            "refusal_cosine": weight.refusal_cosine(records, neuron[0]),
            "promoted": [list(one) for one in weight.promoted],
            "suppressed": [list(one) for one in weight.suppressed],
        },
        "nearest_by_correlation": asdict(together),
        "nearest_by_output_weight": asdict(weight.alike)
        | {
            "chance_in_layer": weight.chance_cosine(width - 1),
            "chance_anywhere": weight.chance_cosine(layers * width - 1),
        },
        "ablation": asdict(examined.effect) | {"perplexity_ratio": examined.effect.perplexity_ratio},
    }
