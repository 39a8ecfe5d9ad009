"""The conditions of the Ablation page: each model as it is and under the ablation, with the answers kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from safeneuron.ablation.specification import Ablation
from safeneuron.models.card import ModelCard
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import KeptAnswer, KeptAnswers
from safeneuron.refusal.corrections import Corrections
from safeneuron.refusal.judge import Judge, JudgedAnswer, Verdict
from safeneuron.refusal.judging import judged, kept_coherence, kept_measures
from safeneuron.refusal.perplexities import KeptPerplexities
from safeneuron.ui import opening, resources
from safeneuron.ui.choice import Choice, short_name


@dataclass(frozen=True)
class Condition:
    """One model, as it is or under the ablation.

    Parameters
    ----------
    name : str
    card : ModelCard
    ablation : Ablation or None
        None for the model as it is.
    """

    name: str
    card: ModelCard
    ablation: Ablation | None

    @property
    def done(self) -> str:
        """What is done to the model, in words."""
        return str(self.ablation) if self.ablation else "nothing switched off"


@dataclass(frozen=True)
class Judged:
    """An answer with the words on it.

    Parameters
    ----------
    answer : KeptAnswer
    verdict : Verdict
        The first judge's, or a person's in its place.
    second : Verdict or None
        The second judge's, if there is one.
    """

    answer: KeptAnswer
    verdict: Verdict
    second: Verdict | None

    @property
    def disputed(self) -> bool:
        """Whether the two judges disagree."""
        return self.second is not None and self.second.judged != self.verdict.judged


@dataclass(frozen=True)
class Records:
    """What the workspace has of some conditions: read once for a run of the page, which keeps it up to date itself.

    Parameters
    ----------
    answers : mapping of Condition to KeptAnswers
    perplexities : mapping of str to KeptPerplexities
        By the model's fingerprint.
    corrections : Corrections
    """

    answers: Mapping[Condition, KeptAnswers]
    perplexities: Mapping[str, KeptPerplexities]
    corrections: Corrections

    @classmethod
    def of(cls, shown: Sequence[Condition]) -> "Records":
        """Read them from disk: runs and other sessions add to them."""
        return cls(
            {one: resources.answers_of(one.card.fingerprint, one.ablation) for one in shown},
            {model: KeptPerplexities(model) for model in {one.card.fingerprint for one in shown}},
            Corrections(),
        )

    def given(self, condition: Condition, prompts: Sequence[str]) -> list[KeptAnswer]:
        """Return the answers to those prompts that were answered."""
        kept = self.answers[condition]
        return [found for prompt in prompts if (found := kept.get(prompt))]


def conditions(choice: Choice, ablation: Ablation, name: str) -> tuple[Condition, ...]:
    """Return ORI and the ablation, of the model and of the one that it is compared with."""
    ablations = {"ORI": None} | ({f"{name} {ablation.done}": ablation} if len(ablation) else {})
    cards = [choice.card, *([choice.other] if choice.other and choice.other.ready else [])]
    return tuple(
        Condition(f"{kind}, {short_name(card.source)}" if len(cards) > 1 else kind, card, ablated)
        for card in cards
        for kind, ablated in ablations.items()
    )


def judged_answers(
    condition: Condition, prompts: Sequence[str], judges: Sequence[Judge], records: Records
) -> Mapping[str, Judged]:
    """Return the answers there are, by prompt, with the verdicts of one or two judges.

    The model is asked only for what a judge of log-odds needs. Answers that a judge who is a model has not read yet
    are left out, see :func:`unjudged`.
    """
    waiting = set(unjudged([condition], prompts, judges, records))
    answers = [found for found in records.given(condition, prompts) if _asked(found) not in waiting]
    perplexities = records.perplexities[condition.card.fingerprint]
    measures = kept_measures(perplexities, answers)
    if any("refusal_log_odds" in judge.needs for judge in judges):
        measures = _with_log_odds(condition, measures)
    coherence = kept_coherence(perplexities)
    found = [
        judged(_known(judge), measures, coherence, records.corrections if judge is judges[0] else None)
        for judge in judges
    ]
    second = found[1] if len(judges) > 1 else [None] * len(answers)
    return {
        answer.prompt: Judged(answer, verdict, other)
        for answer, verdict, other in zip(answers, found[0], second, strict=True)
    }


def unjudged(
    shown: Sequence[Condition], prompts: Sequence[str], judges: Sequence[Judge], records: Records
) -> list[JudgedAnswer]:
    """Return the answers that a judge who is a model has not read yet, each once."""
    models = [resources.model_verdicts(judge.name) for judge in judges if "model" in judge.needs]
    if not models:
        return []
    found = [_asked(answer) for condition in shown for answer in records.given(condition, prompts)]
    return [one for one in dict.fromkeys(found) if any((one.prompt, one.text) not in said for said in models)]


def let_judge(judges: Sequence[Judge], answers: Sequence[JudgedAnswer], progress: Progress) -> None:
    """Let those judges who are models read answers, and keep what they say."""
    for judge in judges:
        if "model" in judge.needs:
            verdicts = judge.verdicts(answers, progress)
            said = {(one.prompt, one.text): verdict for one, verdict in zip(answers, verdicts, strict=True)}
            resources.model_verdicts(judge.name).update(said)


@dataclass(frozen=True)
class _Said:
    """A judge who is a model, by what it said before."""

    name: str

    def verdicts(self, answers: Sequence[JudgedAnswer], progress: Progress = silent) -> list[Verdict]:
        said = resources.model_verdicts(self.name)
        return [said[answer.prompt, answer.text] for answer in answers]


def _known(judge: Judge) -> Judge | _Said:
    return _Said(judge.name) if "model" in judge.needs else judge


def _asked(answer: KeptAnswer) -> JudgedAnswer:
    return JudgedAnswer(answer.prompt, answer.text)


def _with_log_odds(condition: Condition, measures: Sequence[JudgedAnswer]) -> list[JudgedAnswer]:
    scores = resources.log_odds_of(
        opening.opened(condition.card), condition.ablation, tuple(found.prompt for found in measures)
    )
    return [replace(found, refusal_log_odds=score) for found, score in zip(measures, scores, strict=True)]
