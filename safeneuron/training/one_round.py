"""One round of a run: train on the pairs with the set constant, prove that it was, save, find the sets anew, evaluate.

The reference is the model before the first round in every round, f0: the paper writes "the reference model" and
leaves open which it is (paper.md 2.1), and with f0 the rounds pull away from one and the same model. The pairs
are the same ones in every round too, so its log-probabilities are computed once.
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

from transformers import TrainerCallback

from safeneuron import pace
from safeneuron.errors import UserError
from safeneuron.evaluation import evaluate_once
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import open_card
from safeneuron.models.folder import save_folder
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.parity import require_parity
from safeneuron.models.sources.runs import SOURCE as RUNS
from safeneuron.models.sources.runs import model_folder, saved_card
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress
from safeneuron.prompts.evaluated import run_prompts
from safeneuron.prompts.pair_files import load_pairs, save_pairs
from safeneuron.prompts.pairs import PreferencePair, build_pairs, limited_counts
from safeneuron.prompts.sifting import NO_TEMPLATE, TOO_LONG, SiftedPairs, fitting
from safeneuron.robustness import EvaluationSettings, RobustnessTable, answers_to_give
from safeneuron.runs import curves, store
from safeneuron.runs.cluster import Launch
from safeneuron.runs.worker import part
from safeneuron.scoring import score_table
from safeneuron.training.checkpoints import REFERENCE_FILE, checkpoints, checkpoints_folder, round_folder
from safeneuron.training.cost import pairs_in_usual_ones
from safeneuron.training.distributed import train_distributed
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.model_card import write_model_card
from safeneuron.training.reporting import REFERENCE, TRAINING
from safeneuron.training.rounds import RoundResult, keep_round
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets
from safeneuron.training.settings import TrainingSettings, steps_in_words, trained_in_words
from safeneuron.training.start import LEFT_OUT, PAIRS_FILE, TRAINED_ON
from safeneuron.training.trackers import point_trackers
from safeneuron.training.watched import RefusalChecks
from safeneuron.training.watching import RefusalCallback, SpeedCallback, refusals_while_training


@dataclass(frozen=True)
class RoundPlan:
    """What is the same in every round of a run.

    Parameters
    ----------
    run_id : str
    source : str
        What names the model that the run trains.
    parent : ModelCard
        Of that model as it was before the first round.
    sets : mapping of str to NeuronSet
        ES, SAS and FULL, found on the parent.
    settings : TrainingSettings
    how : Launch
        In how many processes it is trained.
    variables : mapping of str to str or None
        The environment of those processes, where they are several.
    """

    run_id: str
    source: str
    parent: ModelCard
    sets: Mapping[str, NeuronSet]
    settings: TrainingSettings
    how: Launch = Launch(processes=1)
    variables: Mapping[str, str] | None = None


def train_round(plan: RoundPlan, number: int, loaded: LoadedModel, neurons: NeuronSet, progress: Progress) -> None:
    """Train the model in place, prove that the frozen neurons are what they were, and save it.

    Parameters
    ----------
    plan : RoundPlan
    number : int
        1 is the first round.
    loaded : LoadedModel
        The model that the round before left; the parent in the first one.
    neurons : NeuronSet
        What is frozen.
    progress : Progress

    Raises
    ------
    UserError
        When there is no pair to train on, or a frozen neuron has moved.
    """
    run_id, settings = plan.run_id, plan.settings
    pairs = _pairs(progress, loaded, plan)
    folder = round_folder(run_id, number)
    folder.mkdir(parents=True, exist_ok=True)
    point_trackers(store.run_folder(run_id), store.get_run(run_id).name)
    steps = settings.dpo.with_steps(len(pairs)).max_steps
    steps_before = (number - 1) * steps

    def log(step: int, values: Mapping[str, float]) -> None:
        curves.log_metrics(run_id, steps_before + step, values)

    timed = _timing(_counting(progress, steps), len(pairs), settings, plan.parent)
    reference = checkpoints_folder(run_id) / REFERENCE_FILE if number > 1 else None
    checks = RefusalChecks(plan.sets, settings.evaluate_every, number == 1) if settings.evaluate_every else None
    if plan.how.several:
        result = train_distributed(
            loaded, neurons, pairs, settings.dpo, timed, log, folder, reference, checks, plan.how, plan.variables
        )
    else:
        watchers: list[TrainerCallback] = [SpeedCallback(log)]
        if checks:
            watchers.append(RefusalCallback(checks, partial(refusals_while_training, loaded), log))
        result = train_masked_dpo(loaded, neurons, pairs, settings.dpo, timed, log, folder, reference, watchers)
    store.put_json(run_id, "frozen", asdict(result.frozen))
    if not result.frozen.identical:
        raise UserError(
            f"Frozen neurons moved by up to {result.frozen.max_abs_diff:g}, so the model was not saved; "
            "please report this, it must not happen."
        )
    progress("Saving", 0.0)
    _save(plan, number, loaded, neurons, result.steps)
    write_model_card(run_id, plan.parent, neurons, measured=False)
    for checkpoint in checkpoints(folder):
        shutil.rmtree(checkpoint)


def evaluate_round(plan: RoundPlan, number: int, neurons: NeuronSet, progress: Progress) -> RoundResult:
    """Find the sets on the model that the round left, evaluate it, and write down what the round has come to."""
    run_id, settings = plan.run_id, plan.settings
    trained = RUNS.load(saved_card(run_id), progress)
    fingerprint = trained.fingerprint
    progress("Scoring", 0.0)
    # So that the sidebar says green, or the run red, before anyone reads a number of the new model.
    require_parity(trained, progress)
    with pace.measured("run scoring", 1, plan.parent):
        table = score_table(trained, pooling=settings.pooling, progress=progress)
    found = table.select(settings.thresholds)
    keep_safety_sets(run_id, RoundSets(number, fingerprint, found, len(neurons)))
    counts = {
        "parent": {name: len(chosen) for name, chosen in plan.sets.items()},
        "trained": {name: len(chosen) for name, chosen in found.items()},
    }
    store.put_json(run_id, "counts", counts)

    progress("Evaluating", 0.0)
    # The parent is evaluated in the first round, after the others.
    tables = 3 if number == 1 else 2
    static = _evaluate(plan, "static", trained, plan.sets, part(progress, 0.0, 1 / tables))
    adaptive = _evaluate(plan, "adaptive", trained, found, part(progress, 1 / tables, 2 / tables))
    del trained
    if number == 1:
        # The one in memory was trained in place, so the one before training is opened anew.
        _evaluate(plan, "before", open_card(plan.parent), plan.sets, part(progress, 2 / tables, 1.0))
    frozen = store.get_json(run_id, "frozen")
    result = RoundResult(number, fingerprint, neurons, frozen, tuple(static.rows()), tuple(adaptive.rows()))
    keep_round(run_id, result)
    write_model_card(run_id, plan.parent, neurons, measured=True)
    return result


def _pairs(progress: Progress, loaded: LoadedModel, plan: RoundPlan) -> tuple[PreferencePair, ...]:
    """Return the pairs that the run has, a person's own or built ones, or build as many as the steps can take in.

    They are built in the first round, with the parent's FULL ablated. What is too long is left out, and kept how many
    pairs that is.
    """
    run_id, settings = plan.run_id, plan.settings
    path = store.artifacts_folder(run_id) / PAIRS_FILE
    if path.is_file():
        pairs = load_pairs(path)
    else:
        limit = settings.dpo.max_steps * settings.dpo.pairs_per_step
        counts = limited_counts(settings.harmful_pairs, settings.twin_pairs, settings.benign_pairs, limit)
        pairs = build_pairs(
            loaded, plan.sets["FULL"], "train", *counts, settings.dpo.seed, progress, settings.answer_tokens
        )
        save_pairs(path, pairs)
    before = store.get_json(run_id, LEFT_OUT) if store.has_artifact(run_id, f"{LEFT_OUT}.json") else {}
    # A resumed run has counted its own before.
    before = {reason: count for reason, count in before.items() if reason not in (TOO_LONG, NO_TEMPLATE)}
    found = fitting(SiftedPairs(pairs, before), loaded.tokenizer, settings.dpo.max_length)
    store.put_json(run_id, LEFT_OUT, dict(found.left_out))
    store.put_json(run_id, TRAINED_ON, dict(Counter(pair.kind for pair in found.pairs)))
    if not found.pairs:
        raise UserError(f"There is no pair left to train on. {found.sentence} Give others, or raise --max-length.")
    return found.pairs


def _counting(progress: Progress, steps: int) -> Progress:
    """Return a progress that tells of training, once it has begun, at which optimiser step it is."""
    begun = False

    def report(step: str, fraction: float) -> None:
        nonlocal begun
        counts = begun and step == TRAINING
        begun = begun or step == TRAINING
        progress(f"step {round(fraction * steps):,} of {steps:,}" if counts else step, fraction)

    return report


def _timing(progress: Progress, pairs: int, settings: TrainingSettings, card: ModelCard) -> Progress:
    """Return a progress that keeps the pace of the two long steps of training."""
    progress = pace.timing(progress, REFERENCE, "run reference", pairs_in_usual_ones(pairs, settings), card)
    if settings.evaluate_every:
        # The steps take as long as the refusals measured between them, too.
        return progress
    trained = settings.dpo.with_steps(pairs).max_steps * settings.dpo.pairs_per_step
    return pace.timing(progress, TRAINING, "run pair", pairs_in_usual_ones(trained, settings), card)


def _save(plan: RoundPlan, number: int, trained: LoadedModel, neurons: NeuronSet, steps: int) -> None:
    parent, rounds = plan.parent.title, plan.settings.rounds
    which = f", round {number}" if rounds > 1 else ""
    facts = {
        "title": f"{parent}, {trained_in_words(neurons.name, steps, plan.settings.dpo.lora_rank)}{which}",
        "origin": f"Trained from {parent} by masked DPO: {steps_in_words(steps)} with the "
        f"{len(neurons)} neurons of {neurons.name} constant{f', in round {number}' if number > 1 else ''}.",
        "parent": plan.source,
    }
    save_folder(trained.model, trained.tokenizer, model_folder(plan.run_id), facts)


def _evaluate(
    plan: RoundPlan, name: str, model: LoadedModel, sets: Mapping[str, NeuronSet], progress: Progress
) -> RobustnessTable:
    """Evaluate a model and keep the table; the pace is kept as that of the model which was trained."""
    prompts = run_prompts(plan.settings.evaluation_prompts)
    count = answers_to_give(model.fingerprint, sets, prompts, EvaluationSettings())
    with pace.measured("run answer", count, plan.parent):
        table = evaluate_once(model, sets, prompts, progress=progress)
    store.put_json(plan.run_id, name, {"model": table.model, "rows": table.rows()})
    store.put_table(plan.run_id, f"{name}_answers", table.answers)
    return table
