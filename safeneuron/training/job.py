"""What a masked-DPO run does: it opens the model, finds the set, and goes from round to round.

Artifacts it leaves: ``settings.json``, ``parent.json`` (fingerprint of the model that is trained),
``neurons.json`` (the set that the first round freezes), ``pairs.jsonl``, ``left_out_pairs.json``,
``safety_sets.json`` (:mod:`safeneuron.training.safety_sets`), ``rounds.json``
(:mod:`safeneuron.training.rounds`), and of its last round ``frozen.json``
(:class:`safeneuron.training.frozen.FrozenReport`), ``counts.json`` (sizes of the sets on the parent and on
the trained model) and one evaluation each, rates as JSON and answers as parquet: ``before`` (the parent, its
own sets), ``static`` (the trained model, the parent's sets) and ``adaptive`` (the trained model, sets found
on it anew). The paper does not say which of the last two it reports (paper.md 3.2), so both are.

A run that is resumed comes here again and finds what it kept: answers, set, pairs, the reference's
log-probabilities, the rounds it has finished, its last checkpoint, its saved model.
"""

import shutil
from dataclasses import replace

import torch

from safeneuron.compute import shared_threads
from safeneuron.errors import UserError
from safeneuron.models.catalogue import open_model
from safeneuron.models.device import in_float32_on_one_device
from safeneuron.models.parity import require_parity
from safeneuron.models.sources.runs import SOURCE as RUNS
from safeneuron.models.sources.runs import saved_card
from safeneuron.neurons import NeuronSet
from safeneuron.runs import store
from safeneuron.runs.launcher import launched_how
from safeneuron.runs.worker import Reporter
from safeneuron.scores.score import ScoreTable
from safeneuron.scoring import kept_score_table, score_table
from safeneuron.selection import Selection, set_names
from safeneuron.training.checkpoints import checkpoints_folder
from safeneuron.training.distributed import environment_of
from safeneuron.training.one_round import RoundPlan, evaluate_round, train_round
from safeneuron.training.rounds import (
    RoundResult,
    has_another,
    is_saved,
    of_this_round,
    rounds_done,
    set_apart,
)
from safeneuron.training.safety_sets import RoundSets, keep_safety_sets
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.start import GIVEN


def run(report: Reporter) -> None:
    """Carry out the run; whatever fails is written down by the caller."""
    # This process does nothing else, so its only thread may keep the setting.
    torch.set_num_threads(shared_threads(busy=True))
    how = launched_how(report.run_id)
    # Before this process takes one GPU for itself.
    variables = environment_of(how) if how.several else None
    in_float32_on_one_device()
    run_id = report.run_id
    facts = store.get_json(run_id, "settings")
    source, set_name = facts.pop("source"), facts.pop("set")
    settings = TrainingSettings.from_json(facts)

    report("Opening the model", 0.0)
    loaded = open_model(source, report)
    _require_same_model(run_id, loaded.fingerprint)
    require_parity(loaded, report)
    table = score_table(loaded, pooling=settings.pooling, progress=report)
    neurons = _first_set(run_id, set_name, table, settings)
    sets = table.select(settings.thresholds)
    keep_safety_sets(run_id, RoundSets(0, loaded.fingerprint, sets, 0))
    # A set of the person's own takes the place of the one that it is named after.
    sets |= {neurons.name: neurons} if neurons.name in sets else {}
    plan = RoundPlan(run_id, source, loaded.card, sets, settings, how, variables)

    done = list(rounds_done(run_id))
    while has_another(settings, done, _before(run_id)):
        number = len(done) + 1
        progress = of_this_round(report, number, settings.rounds)
        if done:
            # Only one model at a time is in memory.
            loaded = None
            earlier = set_apart(run_id, number - 1)
            neurons = _grown(run_id, set_name, done[-1], settings)
            loaded = None if is_saved(run_id) else RUNS.load(saved_card(earlier), progress)
        if not is_saved(run_id):
            train_round(plan, number, loaded, neurons, progress)
        loaded = None
        done.append(evaluate_round(plan, number, neurons, progress))
    shutil.rmtree(checkpoints_folder(run_id), ignore_errors=True)


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


def _before(run_id: str) -> list[dict]:
    """Return the rows of the parent's evaluation, none until it has been evaluated."""
    return store.get_json(run_id, "before")["rows"] if store.has_artifact(run_id, "before.json") else []


def _first_set(run_id: str, name: str, table: ScoreTable, settings: TrainingSettings) -> NeuronSet:
    """Return the set that the run was started with, and keep one that needed the scores."""
    if store.has_artifact(run_id, "neurons.json"):
        return NeuronSet.from_json(store.get_json(run_id, "neurons"))
    neurons = _found(run_id, name, table, settings)
    store.put_json(run_id, "neurons", neurons.to_json())
    return neurons


def _found(run_id: str, name: str, table: ScoreTable, settings: TrainingSettings) -> NeuronSet:
    """Return what the run's set is by these scores."""
    kept = store.get_json(run_id, GIVEN) if store.has_artifact(run_id, f"{GIVEN}.json") else {}
    given = {key: NeuronSet.from_json(found) for key, found in kept.items()}
    selection = Selection(name, table.model, table.shape, given)
    return selection.neurons(table, settings.thresholds, settings.dpo.seed)


def _grown(run_id: str, name: str, last: RoundResult, settings: TrainingSettings) -> NeuronSet:
    """Return what a further round freezes: what the last one did, and what is found on the model that it left.

    A set that was given neuron by neuron is found nowhere, and stays as it is.
    """
    if not (store.has_artifact(run_id, f"{GIVEN}.json") or name in set_names()):
        return last.neurons
    table = kept_score_table(last.model, pooling=settings.pooling)
    if table is None:
        raise UserError(
            f"The scores of round {last.round}'s model are gone from the workspace, so the next round does not know "
            "what to freeze; start the run again."
        )
    both = last.neurons | _found(run_id, name, table, settings)
    return replace(both, name=last.neurons.name, origin={"union over rounds": last.round + 1, "set": name})
