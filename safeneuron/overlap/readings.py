"""One sentence for each result on sets and layers, that reads it: on the page above the plot, and on the command line.

Those on what changes with prompts and models are in ``readings_of_change.py``.
"""

from collections.abc import Sequence

import numpy as np

from safeneuron.overlap.chance import SMALLEST
from safeneuron.overlap.combinations import MOST, OverlapRatio
from safeneuron.overlap.composition import Composition
from safeneuron.overlap.depth import DepthProfile
from safeneuron.overlap.intersections import Intersections
from safeneuron.overlap.matrix import JaccardMatrix
from safeneuron.overlap.probes import ProbeAccuracies
from safeneuron.overlap.two_sets import LayerOverlap
from safeneuron.overlap.writing import LayerWriting

FEWEST_TO_JUDGE = 4
"""Categories, below which their overlaps are not judged against random groups."""


def read_composition(found: Composition) -> str:
    """Say how the safety neurons of all categories divide, and in how many layers most are not task-specific."""
    whole = int(found.counts.sum())
    core, shared, specific = (f"{count:,} ({count / whole:.0%})" for count in found.totals.values())
    layers = found.counts.sum(axis=1) > 0
    most = found.shares[layers, 2] < 0.5
    # Of two categories, what both have is the core.
    between = f", {shared} in two or more but not in all" if found.categories > 2 else ""
    return (
        f"Of the {whole:,} neurons in any of {found.categories} categories' sets, {core} are in all of them{between} "
        f"and {specific} in one only. Core and shared ones are the majority in {most.sum()} of the "
        f"{layers.sum()} layers that have any."
    )


def read_depth(profiles: Sequence[DepthProfile]) -> str:
    """Say how deep the safety neurons of each model lie, of the first three, and of how many more nothing is said."""
    parts = [
        f"{profile.title} has none under these thresholds"
        if profile.centre is None
        else f"{profile.title}: mean depth {profile.centre:.2f}, most in layer {int(np.argmax(profile.shares))}"
        for profile in profiles[:3]
    ]
    more = len(profiles) - len(parts)
    return f"{'; '.join(parts)}{f'; {more} more below' if more else ''}."


def read_ratios(found: Sequence[OverlapRatio], formula: str, dealt: Sequence[OverlapRatio] = ()) -> str:
    """Say what two categories and all of them have in common, beside chance and random groups of prompts."""
    first, last = found[0], found[-1]
    of = {"union": "the neurons in any of them", "mean": "their mean size"}[formula]
    text = f"Of {of}, two categories share {first.mean:.0%} on average (by chance {first.chance:.1%})"
    if len(found) > 1:
        text += f", all {last.k} share {last.mean:.0%}"
    if dealt:
        text += f"; random groups of the same prompts {dealt[0].mean:.0%}"
        text += f" and {dealt[-1].mean:.0%}" if len(found) > 1 else ""
        gap = dealt[0].mean - first.mean
        if last.k < FEWEST_TO_JUDGE:
            # Their pairs, and those of one deal, scatter too much to say.
            text += f". Of fewer than {FEWEST_TO_JUDGE} categories that does not tell whether the categories matter"
        elif gap > 2 * max(first.deviation, dealt[0].deviation):
            text += ". So categories matter beyond the draw of prompts"
        else:
            text += ". So the categories differ little more than random groups of these prompts do"
    sampled = [one.k for one in found if one.sampled]
    if sampled:
        text += f". For K from {sampled[0]} to {sampled[-1]} these are {MOST:,} combinations at random, not all"
    return f"{text}."


def read_matrix(found: JaccardMatrix) -> str:
    """Name the two categories that are most alike and the two that are least, and say what chance would give."""
    upper = np.triu_indices(len(found.names), 1)
    values = found.jaccard[upper]
    known = ~np.isnan(values)
    if not known.any():
        return "No two categories have neurons to compare."
    most, least = int(np.nanargmax(values)), int(np.nanargmin(values))
    name = [f"{_words(found.names[row])} and {_words(found.names[column])}" for row, column in zip(*upper, strict=True)]
    beyond = int((found.p[upper][known] < 0.001).sum())
    if known.sum() == 1:
        more = "more than" if beyond else "no more than"
        return f"{name[most]} have a Jaccard index of {values[most]:.2f}, {more} random sets would (p < 0.001)."
    return (
        f"Most alike: {name[most]} ({values[most]:.2f}). Least: {name[least]} ({values[least]:.2f}). {beyond} of the "
        f"{known.sum()} pairs share more than random sets would (p < 0.001)."
    )


def read_overlap(found: LayerOverlap) -> str:
    """Say how much two sets share in all, and in how many layers that is beyond chance."""
    first, second, shared = (int(counts.sum()) for counts in (found.first, found.second, found.shared))
    tested = ~np.isnan(found.q)
    beyond = int((found.q[tested] < 0.05).sum())
    return (
        f"{found.names[0]} and {found.names[1]} share {shared:,} neurons of {first:,} and {second:,} (Jaccard index "
        f"{found.whole_jaccard:.2f}; by chance {found.whole.shared:.2g} neurons and {found.whole.jaccard:.2g}, "
        f"{p_words(found.whole.p)}). More than by "
        f"chance in {beyond} of the {int(tested.sum())} layers where both have neurons (q < 0.05)."
    )


def read_probes(found: ProbeAccuracies) -> str:
    """Say how well harm can be read from the first layer, where best, and how far a probe carries."""
    accuracy, best = found.accuracy, found.best
    layers = len(accuracy)
    text = f"Behind layer 0 a probe is right in {accuracy[0]:.0%}, best behind layer {best} with {accuracy[best]:.0%}."
    if layers > 1:
        next_ones = np.mean([found.transfer[layer, layer + 1] for layer in range(layers - 1)])
        text += f" One layer further on a probe still has {next_ones:.0%} on average, from the first layer to the last "
        text += f"{found.transfer[0, -1]:.0%}."
    return text


def read_layers(values: np.ndarray, unit: str) -> str:
    """Say how alike neighbouring layers are, and the first and the last, in a measure ``[n_layers, n_layers]``."""
    layers = len(values)
    if layers < 2:
        return "The model has one layer only, so there is nothing to compare it with."
    next_ones = np.nanmean([values[layer, layer + 1] for layer in range(layers - 1)])
    return (
        f"Neighbouring layers: {next_ones:.2f} on average ({unit}); layers half the depth apart: "
        f"{np.nanmean([values[layer, layer + layers // 2] for layer in range(layers - layers // 2)]):.2f}."
    )


def read_writing(found: LayerWriting) -> str:
    """Say in which layer a set's neurons write most towards refusing, and what share of its MLP's that is."""
    top = int(np.argmax(found.shift))
    share = f", {found.share[top]:.0%} of what its whole MLP writes" if not np.isnan(found.share[top]) else ""
    text = f"{found.name} writes most towards refusing in layer {top}: its {found.counts[top]} neurons there write"
    unit = "logits" if found.reading == "logits" else "units along the refusal direction"
    text += f" {found.shift[top]:.3g} {unit} more on harmful than on benign prompts{share}."
    if found.reading == "logits":
        # Logits add up over layers; what is written along each layer's own direction does not.
        whole = found.shift.sum(), found.whole_shift.sum()
        text += f" Over all layers {whole[0]:.3g} logits, all MLPs together {whole[1]:.3g}."
    return text


def read_transfer(names: Sequence[str], accuracies: np.ndarray) -> str:
    """Say how well a category's probe tells its own harm, and others', at one layer ``[n, n]``."""
    own = np.eye(len(names), dtype=bool)
    row, column = np.unravel_index(np.where(own, np.inf, accuracies).argmin(), accuracies.shape)
    return (
        f"A probe of one category is right in {accuracies[own].mean():.0%} on its own and in "
        f"{accuracies[~own].mean():.0%} on others; least from {_words(names[row])} to {_words(names[column])} "
        f"({accuracies[row, column]:.0%})."
    )


def read_intersections(found: Intersections) -> str:
    """Name the largest combination of categories, and say how many would be in all of them by chance."""

    def named(row: np.ndarray) -> str:
        names = [_words(name) for name, member in zip(found.names, row, strict=True) if member]
        if len(names) == len(found.names):
            return f"all {len(names)} categories"
        return f"only {names[0]}" if len(names) == 1 else f"{len(names)} of the {len(found.names)} categories"

    parts = [f"Most neurons ({found.counts[0]:,}) are in {named(found.members[0])}"]
    whole = np.flatnonzero(found.members.all(axis=1))
    if len(whole):
        place = whole[0]
        if place:
            parts.append(f"{found.counts[place]:,} are in all of them")
        parts.append(f"random sets would have {found.expected[place]:.2g} in all ({p_words(found.p[place])})")
    else:
        parts.append("none of the largest combinations is of all categories")
    return f"{'; '.join(parts)}."


def p_words(value: float) -> str:
    """Return a probability as it is written in a sentence."""
    return f"p = {value:.1e}" if value else f"p < {SMALLEST:.0e}"


def _words(name: str) -> str:
    return name.replace("_", " ")
