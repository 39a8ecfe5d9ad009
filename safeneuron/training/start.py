"""Starting a masked-DPO run: what the page's button and ``train`` on the command line both call."""

from collections.abc import Sequence

from safeneuron.errors import UserError
from safeneuron.models.catalogue import ancestors, model_card
from safeneuron.models.device import placement
from safeneuron.models.names import absolute
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pair_files import save_pairs
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.prompts.sifting import SiftedPairs, mixed, sifted
from safeneuron.runs import store
from safeneuron.runs.cluster import Launch, NotTaken
from safeneuron.runs.deleting import delete_run
from safeneuron.runs.launcher import launch
from safeneuron.selection import understood
from safeneuron.sets.belonging import checked
from safeneuron.training.checkpoints import require_room
from safeneuron.training.rounds import phases_of
from safeneuron.training.settings import TrainingSettings, trained_in_words
from safeneuron.training.trackers import require_trackers

KIND = "masked-dpo"
JOB = "safeneuron.training.job:run"
PAIRS_FILE = "pairs.jsonl"
LEFT_OUT = "left_out_pairs"
"""Artifact: how many of a person's own pairs are not trained on, by reason."""
TRAINED_ON = "trained_on"
"""Name under which a run keeps how many pairs of each kind it trains on, without those that are too long."""
PAIRS_FROM = "pairs_from"
"""Artifact: the files that a person's own pairs came from; there only where the run does not build its pairs."""
GIVEN = "given_sets"
"""Name under which the kept sets that the frozen one is made of lie with a run whose frozen set needs scores."""


def start_training(
    source: str,
    neurons: str | NeuronSet,
    settings: TrainingSettings = TrainingSettings(),
    pairs: Sequence[PreferencePair] | None = None,
    foreign: bool = False,
    pairs_from: Sequence[str] = (),
    how: Launch = Launch(processes=1),
) -> str:
    """Start masked DPO in the background and return the run's id at once.

    Parameters
    ----------
    source : str
        What ``--model`` takes.
    neurons : str or NeuronSet
        What :func:`safeneuron.selection.understood` takes, or a set in hand. A set that needs the model's
        scores is found by the run; the kept sets and files that it names are those of now.
    settings : TrainingSettings
    pairs : sequence of PreferencePair, optional
        The person's own, sifted and mixed here (:func:`own_pairs`); otherwise the run builds them.
    foreign : bool
        Whether a file's set may be of another model of the same shape.
    pairs_from : sequence of str
        Names of the files that the person's own pairs came from, for the model card.
    how : Launch
        Where, and in how many processes.

    Raises
    ------
    UserError
        When there are no pairs to train on, models are opened in 4 bits, the model, the set's name or a LoRA
        adapter's module is unknown, the set is of another model, or the disk is full.
    """
    taken = None if pairs is None else own_pairs(pairs, settings)
    pairs = taken.pairs if taken else None
    check_pairs(settings, pairs)
    settings = settings.for_pairs(None if pairs is None else len(pairs))
    require_trackers(settings.dpo.report_to)
    how.require_here()
    how.share(settings.dpo.batch_size)
    if placement().precision == "4bit":
        raise UserError("4-bit weights cannot be trained; unset SAFENEURON_LOAD for the run.")
    card = model_card(source)
    known = card.fingerprint, card.shape, ancestors(card)
    if isinstance(neurons, str):
        selection = understood(neurons, *known, foreign)
        if not selection.needs_scores:
            neurons = selection.neurons()
    else:
        neurons = checked(neurons, *known)
    if settings.dpo.lora_rank and settings.dpo.lora_modules:
        # Loads PyTorch and PEFT, which a page need not wait for otherwise.
        from safeneuron.training.lora import check_modules

        check_modules(card, settings.dpo)
    require_room(card, settings)
    name = neurons if isinstance(neurons, str) else neurons.name
    info = store.create_run(
        f"{card.title}, {trained_in_words(name, settings.dpo.max_steps, settings.dpo.lora_rank)}",
        KIND,
        _parameters(source, name, settings),
        phases_of(settings.rounds),
    )
    try:
        store.put_json(info.id, "settings", {"source": absolute(source), "set": name} | settings.to_json())
        if isinstance(neurons, NeuronSet):
            store.put_json(info.id, "neurons", neurons.to_json())
        else:
            store.put_json(info.id, GIVEN, {key: found.to_json() for key, found in selection.given.items()})
        if pairs is not None:
            save_pairs(store.artifacts_folder(info.id) / PAIRS_FILE, pairs)
            store.put_json(info.id, LEFT_OUT, dict(taken.left_out))
            store.put_json(info.id, PAIRS_FROM, list(pairs_from))
        launch(info.id, JOB, settings.dpo.threads, how)
    except UserError as error:
        store.fail(info.id, str(error))
        if isinstance(error, NotTaken):
            # Nothing of it was begun, and what to ask for instead is said at once.
            delete_run(info.id)
        raise
    return info.id


def own_pairs(pairs: Sequence[PreferencePair], settings: TrainingSettings) -> SiftedPairs:
    """Return which of a person's pairs a run takes: usable ones, in the mix and number that the settings ask for.

    Those that are too long for the settings are left out by the run, which has the model's tokenizer.

    Raises
    ------
    UserError
        When the mix cannot be made of them.
    """
    return mixed(sifted(pairs), settings.safety_share, settings.pairs_limit, settings.dpo.seed)


def check_pairs(settings: TrainingSettings, pairs: Sequence[PreferencePair] | None = None) -> None:
    """Refuse a run that would have no preference pairs, its own or built ones.

    Raises
    ------
    UserError
        When there would be none to train on.
    """
    counts = (settings.harmful_pairs, settings.twin_pairs, settings.benign_pairs) if pairs is None else (len(pairs),)
    if min(counts) < 0 or sum(counts) == 0:
        raise UserError("There is nothing to train on; ask for at least one preference pair: harmful, twin or benign.")


def _parameters(source: str, name: str, settings: TrainingSettings) -> dict[str, str | int | float | bool | None]:
    """Return the settings flat, as MLflow shows them."""
    flat = {key: value for key, value in settings.to_json().items() if key not in ("dpo", "thresholds")}
    thresholds = {f"threshold_{score}": value for score, value in settings.thresholds.items()}
    return {"model": source, "set": name} | settings.to_json()["dpo"] | flat | thresholds
