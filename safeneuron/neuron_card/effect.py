"""What goes when one neuron alone is switched off: refusals on a panel of prompts, and fluency on benign answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safeneuron.neuron_card.interval import Mean, mean_of
from safeneuron.neuron_card.keeping import keep_part, kept_part
from safeneuron.neurons import Neuron, NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.answers import KeptAnswers

if TYPE_CHECKING:
    from safeneuron.generation import Answer
    from safeneuron.models.loaded import LoadedModel
    from safeneuron.refusal.panel import Panel


@dataclass(frozen=True)
class Effect:
    """A single-neuron ablation.

    Parameters
    ----------
    harmful, benign : Mean
        Change of the refusal log-odds of the panel's prompts of that kind, in nats: switched off less as it is.
    perplexity, ablated_perplexity : float or None
        Of the whole model's own answers to the panel's benign prompts, per token, without and with the neuron;
        None where it answers nothing.
    """

    harmful: Mean
    benign: Mean
    perplexity: float | None
    ablated_perplexity: float | None

    @property
    def perplexity_ratio(self) -> float | None:
        """Perplexity without the neuron as a multiple of that with it; above 1 the text has become less expected."""
        return self.ablated_perplexity / self.perplexity if self.perplexity else None

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Effect":
        """Read what :meth:`to_json` wrote."""
        means = {kind: Mean(**value[kind]) for kind in ("harmful", "benign")}
        return cls(**(value | means))


def effect(loaded: "LoadedModel", panel: "Panel", neuron: Neuron, progress: Progress = silent) -> Effect:
    """Switch one neuron off and return what changes.

    Parameters
    ----------
    panel : Panel
        Of the prompts of :func:`safeneuron.prompts.builtin.panel`, harmful and then benign, on the same model.
    """
    from safeneuron.ablation.hooks import ablate
    from safeneuron.perplexity import perplexity

    harmful, benign = builtin.panel()
    off = NeuronSet("one neuron", loaded.fingerprint, loaded.shape, frozenset({neuron}))
    progress("Switching the neuron off", 0.0)
    change = panel.scores(off) - panel.original
    answers = _answers(loaded, benign.prompts, progress)
    whole = ablated = None
    if any(answer.token_ids or answer.finished for answer in answers):
        whole = _whole_perplexity(loaded, answers, progress)
        with ablate(loaded, off):
            ablated = perplexity(loaded, answers, progress=progress)
    return Effect(mean_of(change[: len(harmful)]), mean_of(change[len(harmful) :]), whole, ablated)


def _answers(loaded: "LoadedModel", prompts: Sequence[str], progress: Progress) -> "list[Answer]":
    """Return the model's own answers, those kept from the Ablation page where there are any."""
    from safeneuron.generation import Answer

    return [
        Answer(kept.prompt, kept.text, kept.tokens(loaded), kept.finished)
        for kept in KeptAnswers(loaded.fingerprint, None).answers(loaded, prompts, progress)
    ]


def _whole_perplexity(loaded: "LoadedModel", answers: "Sequence[Answer]", progress: Progress) -> float:
    """Return the perplexity of the model as it is, which all neurons' cards share."""
    from safeneuron.perplexity import perplexity

    depends = "perplexity", loaded.fingerprint, [(answer.prompt, answer.text) for answer in answers]
    kept = kept_part(*depends)
    if kept is None:
        kept = {"perplexity": perplexity(loaded, answers, progress=progress)}
        keep_part(kept, *depends)
    return kept["perplexity"]
