"""One sentence for each result on what changes from a base to the models trained from it."""

from collections.abc import Sequence

import numpy as np

from safeneuron.overlap.moved import Moved
from safeneuron.overlap.moved_categories import CategoriesOf, MovedCategories
from safeneuron.overlap.moved_probes import MovedProbes, ProbesOf
from safeneuron.overlap.moved_writing import WritingOf


def read_moved(found: Sequence[Moved]) -> str:
    """Say of each model how many of the base's safety neurons it keeps, and where its layers moved most."""
    return " ".join(_one(one) for one in found)


def _one(found: Moved) -> str:
    layer = int(np.nanargmin(found.harmful))
    harmful, benign, _ = found.means
    text = (
        f"least alike behind layer {layer} on harmful prompts (CKA {found.harmful[layer]:.3f}, benign "
        f"{found.benign[layer]:.3f}), on average {harmful:.3f} and {benign:.3f}."
    )
    if found.overlap is None:
        return f"{found.title} has no safety neuron under these thresholds; {text}"
    return (
        f"{found.title} keeps {found.overlap.total_shared:,} of {found.base.total:,} safety neurons and has "
        f"{found.own.total:,} (Jaccard index {found.overlap.whole_jaccard:.2f}, by chance "
        f"{found.overlap.whole.jaccard:.2g}); {text}"
    )


def read_moved_categories(found: MovedCategories, formula: str = "union") -> str:
    """Say how much the categories share in the base and in each model, and which set is least like before."""
    ratios = found.base.ratios[formula]
    base = f"In the base two categories share {ratios[0].mean:.0%} of their neurons on average"
    base += f", all {ratios[-1].k} share {ratios[-1].mean:.0%}." if len(ratios) > 1 else "."
    return " ".join([base, *(_categories(one, formula) for one in found.others)])


def _categories(one: CategoriesOf, formula: str) -> str:
    ratios = one.ratios[formula]
    shares = " and ".join(f"{ratio.mean:.0%}" for ratio in (ratios[0], *ratios[1:][-1:]))
    known = {name: each.jaccard for name, each in one.shared.items() if not np.isnan(each.jaccard)}
    most, least = max(known, key=known.get), min(known, key=known.get)
    return (
        f"In {one.title} {shares}; most like the base's is its set for {_words(most)} (Jaccard index "
        f"{known[most]:.2f}), least that for {_words(least)} ({known[least]:.2f})."
    )


def read_moved_probes(found: MovedProbes) -> str:
    """Say how well harm is read in each model by its own probes and the base's, and where these differ most."""
    base = f"In the base a probe is right in {found.base.accuracy.mean():.1%} on average over the layers."
    return " ".join([base, *(_probes(one) for one in found.others)])


def _probes(one: ProbesOf) -> str:
    own, carried = one.own.accuracy, one.carried_accuracy
    layer = int(np.argmax(np.abs(own - carried)))
    return (
        f"In {one.title} its own in {own.mean():.1%}, the base's in {carried.mean():.1%}; they differ most behind "
        f"layer {layer} ({own[layer]:.0%} and {carried[layer]:.0%})."
    )


def read_moved_writing(found: Sequence[WritingOf]) -> str:
    """Say what each model's own safety neurons, and the base's in it, write towards refusing, of all neurons' write.

    Logits add up over layers; what is written along each layer's own direction does not, and is told of the layer
    where the base's safety neurons write most.
    """
    base = found[0].bases
    layer = int(np.argmax(base.shift))
    added = base.reading == "logits"
    where, unit = ("over all layers", "logits") if added else (f"in layer {layer}", "units along the refusal direction")

    def told(shift: np.ndarray) -> str:
        return f"{shift.sum():.2f}" if added else f"{shift[layer]:.3g}"

    texts = [
        f"More on harmful than on benign prompts, {where}, the safety neurons of {found[0].title} write "
        f"{told(base.shift)} {unit}, of {told(base.whole_shift)} that all neurons write."
    ]
    for one in found[1:]:
        own = "it has none of its own" if one.own is None else f"its own write {told(one.own.shift)}"
        texts.append(f"In {one.title} {own} and the base's {told(one.bases.shift)}, of {told(one.bases.whole_shift)}.")
    return " ".join(texts)


def _words(name: str) -> str:
    return name.replace("_", " ")
