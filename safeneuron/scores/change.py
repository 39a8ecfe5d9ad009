"""Change: by how much a neuron's activation differs between two models while one answers (Chen et al.).

    S_j = sqrt(mean over generated tokens of (a_j(M1) - a_j(M2))^2)

M1 is the model shown, M2 the one that it is compared with. Both read a harmful prompt with M1's greedy
answer, and a_j is read at the positions that predict the answer's tokens, the end of the turn included:
the last token of the prompt to the last but one of the text. Chen et al. (arXiv 2406.14144,
paper.md 5.1) take M1 before and M2 after alignment, 200 prompts of HH-harmless and up to 256 tokens,
select the top 5 % of neurons, and their code leaves the last layer out, which is kept here. The
defaults are smaller, for a machine without a GPU.

S is in units of activation, so a threshold on it holds for one pair of models. The default takes the top
5 % of the embedded model against its base; move it for another pair. Large activations change most, and
a change in one layer moves all later ones: a high S need not have to do with safety. Benign prompts and
pooling are not used. A neuron that is the same in both models, constant or not, scores 0.

Takes both models' activations ``[n_layers, tokens, d_mlp]`` of each answer and gives ``[n_layers, d_mlp]``. Its options
are ``prompts`` (how many are answered) and ``new_tokens`` (where an answer is cut).
"""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from safeneuron.prompts.answers import NeededAnswers
from safeneuron.scores.option import Option, Value
from safeneuron.scores.score import Evidence, Score

if TYPE_CHECKING:
    from safeneuron.prompts.classes import PromptClasses

PROMPTS = Option(
    name="prompts",
    title="Prompts",
    help="How many of the harmful prompts are answered, always the same ones of a class. Chen et al. take 200.",
    default=16,
    bounds=(1, 1000),
)
NEW_TOKENS = Option(
    name="new_tokens",
    title="Tokens of each answer",
    help="Where an answer is cut. Chen et al. take 256.",
    default=32,
    bounds=(1, 1024),
)


def drawn(prompts: tuple[str, ...], count: int) -> list[str]:
    """Return at most so many prompts of a class: the same ones whatever order its file has them in."""
    return Random(0).sample(sorted(prompts), min(count, len(prompts)))


def _compute(evidence: Evidence, options: Mapping[str, Value]) -> np.ndarray:
    from safeneuron.answer_changes import answer_changes

    prompts = drawn(evidence.classes.harmful.prompts, options["prompts"])
    return answer_changes(
        evidence.model(),
        evidence.other(),
        prompts,
        options["new_tokens"],
        evidence.progress,
        evidence.unfinished("changes"),
    )


def _needed_answers(classes: "PromptClasses", options: Mapping[str, Value]) -> NeededAnswers:
    return NeededAnswers(tuple(drawn(classes.harmful.prompts, options["prompts"])), options["new_tokens"])


SCORE = Score(
    name="Change",
    title="change score between two models",
    unit="root mean square change of activation",
    description="By how much a neuron's activation differs between this model and the one compared with, while this "
    "one answers harmful prompts.",
    source="Chen et al., arXiv 2406.14144",
    default_threshold=0.35,
    compute=_compute,
    options=(PROMPTS, NEW_TOKENS),
    observes=(),
    needs_model=True,
    needs_other=True,
    harmful_only=True,
    needed_answers=_needed_answers,
    pools=False,
    passes=6.4,
    highest_threshold=2.0,
)
