"""Which sets a training run can freeze."""

from safeneuron.neurons import NeuronSet
from safeneuron.ui import hand
from safeneuron.ui.choice import Choice

FOUND_BY_THE_RUN = ("FULL", "ES", "SAS")
"""Sets that a run finds by itself, on the model's scores in float32."""


def sets(choice: Choice) -> dict[str, NeuronSet | None]:
    """Return what can be frozen, by name; None where the model has not been scored yet.

    The scores' sets, the own set, and the one in hand where it is another: a kept set, or an expression.
    """
    found: dict[str, NeuronSet | None] = {name: choice.sets[name] if choice.sets else None for name in FOUND_BY_THE_RUN}
    if choice.table and choice.hand is not None:
        own_set = hand.own(choice.table)
        if own_set is not None:
            found[hand.OWN] = own_set
        if hand.name_in_hand() != "ORI":
            found.setdefault(hand.name_in_hand(), choice.hand)
    return found
