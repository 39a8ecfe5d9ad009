"""Every neuron's activation on every prompt as a norm over the prompt's tokens, kept on disk.

The norm ``||h[:, j]||_2`` over all real tokens of the templated prompt is what SN-Tune's importance
of a feed-forward neuron is made of (paper.md 5.2), whatever pooling the other scores use.
"""

from safeneuron.observations.observation import TOKEN_NORM, Observation
from safeneuron.observations.record import ActivationRecord, RecordObserver

OBSERVATION = Observation(
    name="token-norms",
    title="every neuron's norm over the tokens of every prompt",
    watches=lambda pooling: TOKEN_NORM,
    observer=lambda loaded, target, scratch: RecordObserver(loaded, target, TOKEN_NORM, scratch),
    load=ActivationRecord.load,
)
