"""One sentence for each result on what changes with the prompts.

Those on what changes from model to model are in ``readings_of_runs.py``.
"""

from collections.abc import Sequence

import numpy as np

from safeneuron.neurons import NeuronSet
from safeneuron.overlap.stability import SURE, Stability
from safeneuron.overlap.variations import KINDS, READ_AT, TOLD, WORDED, FoundAgain

_OF = {READ_AT: "Read elsewhere", WORDED: "In other words", TOLD: "With another system prompt"}


def read_stability(found: Stability, full: NeuronSet) -> str:
    """Say how sure the set is, and whether more prompts would help."""
    # First, since it refuses an empty set.
    sure = found.sure(full)
    known = np.flatnonzero(~np.isnan(found.with_each_other).any(axis=1))
    low, high = found.spread
    text = (
        f"Drawing the prompts anew leaves FULL at a Jaccard index of {np.nanmean(found.bootstrap):.2f} (95 % of draws "
        f"between {low:.2f} and {high:.2f}); {sure:,} of its {len(full):,} neurons are found in at least "
        f"{SURE:.0%} of the draws."
    )
    if len(known) > 1:
        size = found.sizes[known[-1]]
        # The gain of about twice the prompts: two neighbouring sizes may differ by one prompt.
        half = max((place for place in known if found.sizes[place] <= size / 2), default=known[0])
        last, before = (float(found.with_each_other[place].mean()) for place in (known[-1], half))
        text += f" With {size} prompts of each class, two sets from different prompts agree to {last:.2f}"
        text += (
            ", and still rising: more prompts would help." if last - before > 0.05 else ", and hardly rising any more."
        )
    return text


def read_variations(found: Sequence[FoundAgain]) -> str:
    """Say, for each kind of variation, how far the sets agree, and where least."""
    parts = []
    for kind in KINDS:
        every = [one for one in found if one.kind == kind]
        some = [one for one in every if one.count]
        none = [one.name for one in every if not one.count]
        if some:
            values = [one.jaccard for one in some]
            least = some[int(np.argmin(values))]
            spread = f"{min(values):.2f} to {max(values):.2f}, least " if len(some) > 1 else f"{values[0]:.2f}, "
            parts.append(
                f"{_OF[kind]}, the sets agree to {spread}{least.name}: {least.shared:,} shared of {least.count:,}, by "
                f"chance {least.chance.shared:.2g}."
            )
        if none:
            parts.append(f"{_OF[kind]} ({', '.join(none)}), no neuron is above the thresholds.")
    return " ".join(parts)
