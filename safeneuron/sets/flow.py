"""How a set changes from round to round: which neurons stay, join, come back and leave. Needs no torch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from safeneuron.errors import UserError
from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.overlap.chance import Chance, chance_of

FOUND, KEPT, RETURNED, JOINED = "found", "kept", "returned", "joined"
"""In the set: at the start; in the round before too; in an earlier one but not in that; for the first time."""
LEFT, OUT, NOT_YET = "left", "out", "not yet"
"""Not in the set: since this round; since an earlier one; but will be later."""
INSIDE = (FOUND, KEPT, RETURNED, JOINED)
STATES = (*INSIDE, LEFT, OUT, NOT_YET)


@dataclass(frozen=True)
class SetFlow:
    """The sets of a model and of those trained from it in turn, neuron by neuron.

    Parameters
    ----------
    sets : tuple of NeuronSet
        Before, and after each round.
    states : tuple of mapping of (int, int) to str
        For each of the sets, which of :data:`STATES` each neuron is in that is a member of any of them.
    chance : tuple of Chance
        For each round, what two random sets with as many neurons in each layer would share.
    """

    sets: tuple[NeuronSet, ...]
    states: tuple[dict[Neuron, str], ...]
    chance: tuple[Chance, ...]

    def counts(self, place: int) -> dict[str, int]:
        """Return how many neurons are in each state after so many rounds, without those that nobody is in."""
        found = Counter(self.states[place].values())
        return {state: found[state] for state in STATES if found[state]}

    def moves(self, round_number: int) -> dict[tuple[str, str], int]:
        """Return how many neurons went from which state to which in a round, the first one being 1."""
        before, after = self.states[round_number - 1 : round_number + 1]
        found = Counter((before[neuron], after[neuron]) for neuron in before)
        return {(old, new): found[old, new] for old in STATES for new in STATES if found[old, new]}


def set_flow(sets: Sequence[NeuronSet]) -> SetFlow:
    """Return how a set changed over rounds.

    Parameters
    ----------
    sets : sequence of NeuronSet
        Before, and after each round; of one shape.

    Raises
    ------
    UserError
        When there are fewer than two, so that nothing can have changed, or their models differ in shape.
    """
    if len(sets) < 2:
        raise UserError("Only one set was found so far; how it changes is seen once a round has ended.")
    if len({found.shape for found in sets}) > 1:
        raise UserError("The sets are of models of different shapes, and so share no neurons.")
    ever = sorted(frozenset().union(*(found.neurons for found in sets)))
    states = tuple({neuron: _state(neuron, sets[: place + 1]) for neuron in ever} for place in range(len(sets)))
    masks = [found.mask() for found in sets]
    chance = tuple(chance_of(before, after) for before, after in zip(masks, masks[1:], strict=False))
    return SetFlow(tuple(sets), states, chance)


def _state(neuron: Neuron, so_far: Sequence[NeuronSet]) -> str:
    *earlier, now = (neuron in found for found in so_far)
    if not earlier:
        return FOUND if now else NOT_YET
    if now:
        return KEPT if earlier[-1] else RETURNED if any(earlier) else JOINED
    return LEFT if earlier[-1] else OUT if any(earlier) else NOT_YET
