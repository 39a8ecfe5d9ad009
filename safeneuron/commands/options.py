"""Options that several commands share, and what they turn into."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safeneuron.ablation.specification import Ablation
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import ancestors, model_card, open_model
from safeneuron.models.fit import GENERATING, LOADING, require_fit
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress
from safeneuron.prompts.promptset import PromptSet, load_prompts
from safeneuron.scores.presets import thresholds_of
from safeneuron.scores.score import check_thresholds

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

Model = Annotated[
    str,
    typer.Option(
        "--model", help="An embedded model, run:ID, org/name on the hub, a model folder, a GGUF file, or BASE::ADAPTER."
    ),
]
Compare = Annotated[
    str | None, typer.Option("--compare", help="A second model; the difference is --model less this one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Column = Annotated[
    str | None, typer.Option("--column", help="Where the prompts are, if not in a column with a usual name.")
]
Harmful = Annotated[
    Path | None, typer.Option("--harmful", help="Prompt file (JSONL, JSON, CSV, TXT); the built-in prompts by default.")
]
Benign = Annotated[
    Path | None, typer.Option("--benign", help="Prompt file (JSONL, JSON, CSV, TXT); the built-in prompts by default.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Use the first so many prompts of each file.")]
SET = (
    "ORI, ES, SAS, FULL, RANDOM, a kept set's name, neurons such as 15:766,15:801, a .json set, or an expression such "
    "as 'top(0.5%, ES)' or 'FULL & layers(10, 20)'; `sets --help` has more."
)
ForeignSet = Annotated[
    bool,
    typer.Option(
        "--set-of-another-model", help="Take a .json set that was made for another model, if its shape is this one's."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of RANDOM, and of random(SET).")]
Twins = Annotated[
    Path | None,
    typer.Option(
        "--twins",
        help="Prompt file of safe twins; the built-in ones by default, unless the harmful prompts are your own.",
    ),
]
TauES = Annotated[float | None, typer.Option("--tau-es", help="Threshold of ES; the model's own by default.")]
TauSAS = Annotated[float | None, typer.Option("--tau-sas", help="Threshold of SAS; the model's own by default.")]
Judge = Annotated[
    str, typer.Option("--judge", help="Which judge tells refusals from answers; `judges` lists them with their errors.")
]
SecondJudge = Annotated[
    str | None, typer.Option("--second-judge", help="Another judge of the same answers; prints where the two disagree.")
]
Kind = Annotated[
    str, typer.Option("--kind", help="What happens to the neurons: zero, mean (their benign mean) or scale.")
]
Factor = Annotated[
    float | None,
    typer.Option("--factor", help="For --kind scale, -2 to 3: above 1 amplifies, below 0 turns round."),
]
Positions = Annotated[
    str, typer.Option("--positions", help="Where: at all positions, or only in tokens that the model has generated.")
]
Tokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Length of the answers.")]


def opened(source: str | ModelCard, progress: Progress) -> "LoadedModel":
    """Open a model whose numbers can be trusted, with this process's share of the cores.

    Parameters
    ----------
    source : str or ModelCard
        Its card where that is known already: some folders are hashed to make one.
    progress : Progress

    Raises
    ------
    UserError
        When there is no such model, or it fails its self-check.
    """
    loaded = opened_unchecked(source, progress)
    from safeneuron.models.parity import require_parity

    require_parity(loaded, progress)
    return loaded


def opener(card: ModelCard, progress: Progress) -> "Callable[[], LoadedModel]":
    """Return what opens a model when it is first asked, as :func:`opened` does, and then hands out the same one."""
    return cache(partial(opened, card, progress))


def opened_unchecked(source: str | ModelCard, progress: Progress) -> "LoadedModel":
    """Open a model for its self-check, with this process's share of the cores."""
    # Found before torch is imported: a wrong name should not take seconds to be refused.
    card = source if isinstance(source, ModelCard) else model_card(source)
    require_fit(card, LOADING)
    from safeneuron.compute import set_process_threads

    set_process_threads()
    return open_model(card.source, progress)


def prompts_from(path: Path | None, column: str | None, limit: int | None = None) -> PromptSet | None:
    """Read a prompt file, or return None when none was given."""
    return load_prompts(path, column).head(limit) if path else None


def check_enough(kind: str, asked: int, there: PromptSet) -> None:
    """Refuse to take more prompts than there are: the result would claim an n that it has not.

    Raises
    ------
    UserError
        When there are fewer.
    """
    if asked > len(there):
        raise UserError(f"There are {len(there)} {kind} prompts to take; ask for at most so many, and not {asked}.")


def check_ablation(kind: str, factor: float | None, positions: str) -> None:
    """Refuse an ablation that there is not, before a model is asked for.

    Raises
    ------
    UserError
        When the kind or the positions do not exist, or the factor is missing, out of bounds or of another kind.
    """
    if (kind == "scale") != (factor is not None):
        raise UserError("--kind scale and --factor go together; write for example --kind scale --factor 2, or neither.")
    Ablation(NeuronSet("none", "", (0, 0), frozenset()), kind, factor or 0.0, positions)


def selected(
    text: str,
    card: ModelCard,
    foreign: bool,
    chosen: Mapping[str, float],
    seed: int,
    progress: Progress,
    model: "Callable[[], LoadedModel]",
) -> NeuronSet:
    """Return the set that a ``--set`` stands for.

    Parameters
    ----------
    chosen : mapping
        What :func:`thresholds` returns.
    model : callable
        What :func:`opener` returns; asked only where the set needs scores that are not kept.
    """
    from safeneuron.scoring import kept_score_table, score_table
    from safeneuron.selection import understood

    selection = understood(text, card.fingerprint, card.shape, ancestors(card), foreign)
    table = None
    if selection.needs_scores:
        table = kept_score_table(card.fingerprint) or score_table(model(), progress=progress)
    return selection.neurons(table, chosen, seed)


def opened_ablated(
    model: str,
    set_name: str,
    foreign: bool,
    tau_es: float | None,
    tau_sas: float | None,
    seed: int,
    kind: str,
    factor: float | None,
    positions: str,
    progress: Progress,
) -> "tuple[LoadedModel, Ablation]":
    """Return a model that is about to answer, opened once, and the ablation that the options ask for.

    Names and numbers come first: a wrong one should not take seconds to be refused. The benign means are computed
    where they are needed for the first time.

    Raises
    ------
    UserError
        When an option is wrong, the model does not fit, or it fails its self-check.
    """
    from safeneuron.selection import check_set

    check_ablation(kind, factor, positions)
    check_set(set_name)
    card = model_card(model)
    chosen = thresholds(tau_es, tau_sas, card)
    require_fit(card, GENERATING)
    model_of = opener(card, progress)
    neurons = selected(set_name, card, foreign, chosen, seed, progress, model_of)
    loaded = model_of()
    from safeneuron.ablation.benign_mean import benign_means

    means = benign_means(loaded, neurons, progress) if kind == "mean" and neurons else None
    return loaded, Ablation(neurons, kind, factor or 0.0, positions, means)


def thresholds(tau_es: float | None, tau_sas: float | None, card: ModelCard) -> dict[str, float]:
    """Return the threshold of ES and SAS, the one given or the model's own, or refuse one that means nothing."""
    given = {"ES": tau_es, "SAS": tau_sas}
    chosen = {name: own if given.get(name) is None else given[name] for name, own in thresholds_of(card).items()}
    check_thresholds(chosen)
    return chosen
