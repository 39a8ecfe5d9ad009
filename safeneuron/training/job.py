"""What a masked-DPO run does, from opening the model to the tables before and after.

Artifacts it leaves: ``settings.json``, ``parent.json`` (fingerprint of the model that is trained),
``neurons.json`` (the frozen set), ``pairs.jsonl``, ``left_out_pairs.json``, ``frozen.json``
(:class:`safeneuron.training.frozen.FrozenReport`), ``counts.json`` (sizes of the sets on the parent and
on the trained model), ``safety_sets.json`` (those sets: :mod:`safeneuron.training.safety_sets`), and one
evaluation each, rates as JSON and answers as parquet: ``before`` (the parent, its own sets), ``static``
(the trained model, the parent's sets) and ``adaptive`` (the trained model, sets found on it anew). The
paper does not say which of the last two it reports (paper.md 3.2), so both are.

A run that is resumed comes here again and finds what it kept: answers, set, pairs, the reference's
log-probabilities, its last checkpoint, its saved model.
"""

import shutil
from dataclasses import asdict

import torch

from safeneuron import pace
from safeneuron.compute import shared_threads
from safeneuron.errors import UserError
from safeneuron.evaluation import evaluate_once
from safeneuron.models.card import CARD, ModelCard
from safeneuron.models.catalogue import open_card, open_model
from safeneuron.models.device import in_float32_on_one_device
from safeneuron.models.folder import save_folder
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.parity import require_parity
from safeneuron.models.sources.runs import SOURCE as RUNS
from safeneuron.models.sources.runs import model_folder, saved_card
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress
from safeneuron.prompts.evaluated import EvaluationPrompts, run_prompts
from safeneuron.prompts.pair_files import load_pairs, save_pairs
from safeneuron.prompts.pairs import PreferencePair, build_pairs, limited_counts
from safeneuron.prompts.sifting import NO_TEMPLATE, TOO_LONG, SiftedPairs, fitting
from safeneuron.robustness import EvaluationSettings, answers_to_give
from safeneuron.runs import curves, store
from safeneuron.runs.worker import Reporter, part
from safeneuron.scores.score import ScoreTable
from safeneuron.scoring import score_table
from safeneuron.selection import Selection
from safeneuron.training.checkpoints import checkpoints_folder
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.reporting import REFERENCE, TRAINING
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets
from safeneuron.training.settings import TrainingSettings, steps_in_words
from safeneuron.training.start import GIVEN, LEFT_OUT, PAIRS_FILE


def run(report: Reporter) -> None:
    """Carry out the run; whatever fails is written down by the caller."""
    # This process does nothing else, so its only thread may keep the setting.
    torch.set_num_threads(shared_threads(busy=True))
    in_float32_on_one_device()
    facts = store.get_json(report.run_id, "settings")
    source, set_name = facts.pop("source"), facts.pop("set")
    settings = TrainingSettings.from_json(facts)

    report("Opening the model", 0.0)
    parent = open_model(source, report)
    _require_same_model(report.run_id, parent.fingerprint)
    require_parity(parent, report)
    table = score_table(parent, pooling=settings.pooling, progress=report)
    neurons = _frozen_set(report.run_id, set_name, table, settings)
    sets = table.select(settings.thresholds)
    keep_safety_sets(report.run_id, RoundSets(0, parent.fingerprint, sets, 0))
    # A set of the person's own takes the place of the one that it is named after.
    sets |= {neurons.name: neurons} if neurons.name in sets else {}

    if not (model_folder(report.run_id) / CARD).is_file():
        _train(report, parent, neurons, sets["FULL"], source, settings)
    untrained = parent.card
    del parent
    trained = RUNS.load(saved_card(report.run_id), report)

    report("Scoring", 0.0)
    # So that the sidebar says green, or the run red, before anyone reads a number of the new model.
    require_parity(trained, report)
    with pace.measured("run scoring", 1, untrained):
        table = score_table(trained, pooling=settings.pooling, progress=report)
    found = table.select(settings.thresholds)
    keep_safety_sets(report.run_id, RoundSets(1, trained.fingerprint, found, len(neurons)))
    store.put_json(
        report.run_id,
        "counts",
        {
            "parent": {name: len(chosen) for name, chosen in sets.items()},
            "trained": {name: len(chosen) for name, chosen in found.items()},
        },
    )

    report("Evaluating", 0.0)
    prompts = run_prompts(settings.evaluation_prompts)
    _evaluate(report.run_id, "static", trained, sets, prompts, part(report, 0.0, 1 / 3), untrained)
    _evaluate(report.run_id, "adaptive", trained, found, prompts, part(report, 1 / 3, 2 / 3), untrained)
    del trained
    # The parent in memory was trained in place, so the one before training is opened anew.
    _evaluate(report.run_id, "before", open_card(untrained), sets, prompts, part(report, 2 / 3, 1.0), untrained)


def _require_same_model(run_id: str, fingerprint: str) -> None:
    """Keep which model a run trains; a resumed one must find the same, or its end would be of neither.

    Raises
    ------
    UserError
        When the model, or the chat format it is spoken to in, is another than when the run began.
    """
    if not store.has_artifact(run_id, "parent.json"):
        store.put_json(run_id, "parent", {"fingerprint": fingerprint})
    elif store.get_json(run_id, "parent")["fingerprint"] != fingerprint:
        raise UserError(
            "The model or its chat format has changed since the run began, so it cannot go on; start a new run."
        )


def _train(
    report: Reporter,
    parent: LoadedModel,
    neurons: NeuronSet,
    full: NeuronSet,
    source: str,
    settings: TrainingSettings,
) -> None:
    """Train the model in place, prove that the frozen neurons are what they were, and save it."""
    run_id = report.run_id
    pairs = _pairs(report, parent, full, settings)
    folder = checkpoints_folder(run_id)
    folder.mkdir(exist_ok=True)
    result = train_masked_dpo(
        parent,
        neurons,
        pairs,
        settings.dpo,
        _timing(report, len(pairs), settings, parent.card),
        lambda step, values: curves.log_metrics(run_id, step, values),
        folder,
    )
    store.put_json(run_id, "frozen", asdict(result.frozen))
    if not result.frozen.identical:
        raise UserError(
            f"Frozen neurons moved by up to {result.frozen.max_abs_diff:g}, so the model was not saved; "
            "please report this, it must not happen."
        )
    report("Saving", 0.0)
    _save(run_id, parent, neurons, source, result.steps)
    shutil.rmtree(folder)


def _frozen_set(run_id: str, name: str, table: ScoreTable, settings: TrainingSettings) -> NeuronSet:
    """Return the set that the run was started with, and keep one that needed the scores."""
    if store.has_artifact(run_id, "neurons.json"):
        return NeuronSet.from_json(store.get_json(run_id, "neurons"))
    given = {key: NeuronSet.from_json(found) for key, found in store.get_json(run_id, GIVEN).items()}
    selection = Selection(name, table.model, table.shape, given)
    neurons = selection.neurons(table, settings.thresholds, settings.dpo.seed)
    store.put_json(run_id, "neurons", neurons.to_json())
    return neurons


def _pairs(
    report: Reporter, parent: LoadedModel, full: NeuronSet, settings: TrainingSettings
) -> tuple[PreferencePair, ...]:
    """Return the pairs that the run has, a person's own or built ones, or build as many as the steps can take in.

    What is too long is left out, and kept how many pairs that is.
    """
    path = store.artifacts_folder(report.run_id) / PAIRS_FILE
    if path.is_file():
        pairs = load_pairs(path)
    else:
        limit = settings.dpo.max_steps * settings.dpo.pairs_per_step
        counts = limited_counts(settings.harmful_pairs, settings.twin_pairs, settings.benign_pairs, limit)
        pairs = build_pairs(parent, full, "train", *counts, settings.dpo.seed, report, settings.answer_tokens)
        save_pairs(path, pairs)
    before = store.get_json(report.run_id, LEFT_OUT) if store.has_artifact(report.run_id, f"{LEFT_OUT}.json") else {}
    # A resumed run has counted its own before.
    before = {reason: count for reason, count in before.items() if reason not in (TOO_LONG, NO_TEMPLATE)}
    found = fitting(SiftedPairs(pairs, before), parent.tokenizer, settings.dpo.max_length)
    store.put_json(report.run_id, LEFT_OUT, dict(found.left_out))
    if not found.pairs:
        raise UserError(f"There is no pair left to train on. {found.sentence} Give others, or raise --max-length.")
    return found.pairs


def _timing(progress: Progress, pairs: int, settings: TrainingSettings, card: ModelCard) -> Progress:
    """Return a progress that keeps the pace of the two long steps of training."""
    progress = pace.timing(progress, REFERENCE, "run reference", pairs, card)
    return pace.timing(progress, TRAINING, "run pair", settings.dpo.max_steps * settings.dpo.pairs_per_step, card)


def _save(run_id: str, trained: LoadedModel, neurons: NeuronSet, source: str, steps: int) -> None:
    facts = {
        "title": f"{trained.card.title}, {neurons.name} frozen, {steps_in_words(steps)}",
        "origin": f"Trained from {trained.card.title} by masked DPO: {steps_in_words(steps)} with the "
        f"{len(neurons)} neurons of {neurons.name} constant.",
        "parent": source,
    }
    save_folder(trained.model, trained.tokenizer, model_folder(run_id), facts)


def _evaluate(
    run_id: str,
    name: str,
    model: LoadedModel,
    sets: dict[str, NeuronSet],
    prompts: EvaluationPrompts,
    progress: Progress,
    card: ModelCard,
) -> None:
    """Evaluate a model and keep the table; the pace is kept as that of the model which was trained."""
    count = answers_to_give(model.fingerprint, sets, prompts, EvaluationSettings())
    with pace.measured("run answer", count, card):
        table = evaluate_once(model, sets, prompts, progress=progress)
    store.put_json(run_id, name, {"model": table.model, "rows": table.rows()})
    store.put_table(run_id, f"{name}_answers", table.answers)
