"""From answers to verdicts: what is measured of an answer, then the judge, then coherence, then a person's word."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from safeneuron.ablation.specification import Ablated, as_ablation
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import KeptAnswer
from safeneuron.refusal.coherence import Coherence
from safeneuron.refusal.corrections import Corrections
from safeneuron.refusal.judge import Judge, JudgedAnswer, Verdict, judge_named
from safeneuron.refusal.perplexities import KeptPerplexities
from safeneuron.refusal.rates import Rate, rate_of_verdicts

if TYPE_CHECKING:
    from safeneuron.generation import Answer
    from safeneuron.models.loaded import LoadedModel


def judged(
    judge: Judge,
    answers: Sequence[JudgedAnswer],
    coherence: Coherence,
    corrections: Corrections | None = None,
    progress: Progress = silent,
) -> list[Verdict]:
    """Return the verdicts that count, in the order of the answers.

    Parameters
    ----------
    judge : Judge
    answers : sequence of JudgedAnswer
    coherence : Coherence
        Of the model that gave them.
    corrections : Corrections, optional
        Without, no person's word is heard.
    progress : Progress
    """
    found = judge.verdicts(answers, progress) if answers else []
    found = [coherence.applied(answer, verdict) for answer, verdict in zip(answers, found, strict=True)]
    if corrections is None:
        return found
    return [corrections.applied(answer, verdict) for answer, verdict in zip(answers, found, strict=True)]


def measured(
    loaded: "LoadedModel",
    ablated: Ablated,
    answers: "Sequence[KeptAnswer | Answer]",
    judges: Sequence[Judge],
    progress: Progress = silent,
    perplexities: KeptPerplexities | None = None,
) -> list[JudgedAnswer]:
    """Return answers with all that judges and coherence need to know, computing only what is missing.

    A model reads an answer about as long as it writes it, so only those are read whose verdict hangs on it: not what
    the model as it is said itself, which is what the bound is made of, nor loops, nor what every judge calls a refusal.
    The model's perplexities are taken from disk unless they are at hand.
    """
    scores = _refusal_log_odds(loaded, ablated, answers, judges)
    found = [JudgedAnswer(answer.prompt, answer.text, score) for answer, score in zip(answers, scores, strict=True)]
    perplexities = perplexities or KeptPerplexities(loaded.fingerprint)
    if as_ablation(ablated) is not None:
        open_ones = undecided(found, judges)
        perplexities.read(loaded, [answers[place] for place in open_ones], progress)
    return [_with_perplexity(answer, perplexities) for answer in found]


def undecided(answers: Sequence[JudgedAnswer], judges: Sequence[Judge]) -> list[int]:
    """Return the places of the answers that a judge calls given, or may call so, and that are no loops."""
    verdicts = [judge.verdicts(answers) for judge in judges if "model" not in judge.needs and answers]
    unknown = any("model" in judge.needs for judge in judges)
    return [
        place
        for place, answer in enumerate(answers)
        if answer.text
        and (unknown or any(found[place].kind == "answered" for found in verdicts))
        and Coherence().reason(answer) is None
    ]


def kept_measures(perplexities: KeptPerplexities, answers: Sequence[KeptAnswer]) -> list[JudgedAnswer]:
    """Return answers with the perplexities that were read before; needs no model, and reads none.

    Parameters
    ----------
    perplexities : KeptPerplexities
        Of the model that gave them, under whatever ablation.
    answers : sequence of KeptAnswer
    """
    return [_with_perplexity(JudgedAnswer(answer.prompt, answer.text), perplexities) for answer in answers]


def unread(perplexities: KeptPerplexities, answers: Sequence[KeptAnswer], judges: Sequence[Judge]) -> list[KeptAnswer]:
    """Return the answers whose verdicts hang on a perplexity that was not read yet; needs no model.

    Parameters
    ----------
    perplexities : KeptPerplexities
        Of the model that gave them under an ablation.
    answers : sequence of KeptAnswer
    judges : sequence of Judge
        Those that need more than the text are passed over.
    """
    found = kept_measures(perplexities, answers)
    of_texts = [judge for judge in judges if not judge.needs]
    return [answers[place] for place in undecided(found, of_texts) if found[place].perplexity is None]


def kept_coherence(perplexities: KeptPerplexities) -> Coherence:
    """Return a model's coherence as far as its bound is measured; needs no model."""
    return Coherence(perplexities.bound())


def coherence_of(
    loaded: "LoadedModel", progress: Progress = silent, perplexities: KeptPerplexities | None = None
) -> Coherence:
    """Return a model's coherence; its bound is measured where that was not done before: 24 answers, once."""
    perplexities = perplexities or KeptPerplexities(loaded.fingerprint)
    return Coherence(perplexities.calibrate(loaded, progress))


def judged_rate(
    loaded: "LoadedModel",
    ablated: Ablated,
    answers: "Sequence[KeptAnswer | Answer]",
    judge: str,
    progress: Progress = silent,
) -> Rate:
    """Return the refusal rate of answers given under an ablation, by a judge's name; no person's word is heard."""
    named = judge_named(judge)
    perplexities = KeptPerplexities(loaded.fingerprint)
    found = measured(loaded, ablated, answers, [named], progress, perplexities)
    return rate_of_verdicts(judged(named, found, coherence_of(loaded, progress, perplexities)), named.name)


def _with_perplexity(answer: JudgedAnswer, perplexities: KeptPerplexities) -> JudgedAnswer:
    return replace(answer, perplexity=perplexities.get(answer.prompt, answer.text))


def _refusal_log_odds(
    loaded: "LoadedModel", ablated: Ablated, answers: "Sequence[KeptAnswer | Answer]", judges: Sequence[Judge]
) -> list[float | None]:
    if not any("refusal_log_odds" in judge.needs for judge in judges):
        return [None] * len(answers)
    from safeneuron.ablation.hooks import ablate
    from safeneuron.refusal.log_odds import refusal_scores

    with ablate(loaded, ablated):
        return refusal_scores(loaded, [answer.prompt for answer in answers]).tolist()
