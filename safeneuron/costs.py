"""What working with a model costs on this machine, in memory and in time: the table that pages and commands show."""

from dataclasses import replace
from typing import Any

from safeneuron import duration
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import CONVERTING, KEEPING, TRAINING, Work, estimates
from safeneuron.models.parameters import conversion_of
from safeneuron.sizes import size_words
from safeneuron.training.cost import work_of
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings

ANSWERS = 100
"""How many answers the time of generating is stated for."""


def cost_rows(card: ModelCard, is_open: bool = False) -> list[dict[str, Any]]:
    """Return a row for each kind of work; none while neither config nor GGUF file is on this machine.

    Returns
    -------
    list of dict
        ``work``, ``batch``, ``bytes`` (on top of what is in use), ``free_bytes``, ``memory`` (which), ``fits``,
        ``time`` (in words, with where it is known from) and ``instead`` (what would fit, or None).
    """
    unread = conversion_of(card)
    times = {
        CONVERTING.name: f"about {unread.minutes} min, once" if unread else "",
        KEEPING.name: "—",
        "Loading": duration.of_opening(card),
        "Scoring": duration.of_scoring(card),
        "Generating": f"{ANSWERS} answers: {duration.of_answers(ANSWERS, card, bulk=True)}",
        "Training": _training(card),
    }
    return [
        {
            "work": found.work.name,
            "batch": found.work.batch or None,
            "bytes": found.bytes,
            "free_bytes": found.memory.free,
            "memory": found.memory.name,
            "fits": found.fits,
            "time": "is open" if is_open and found.work.name == "Loading" else times[found.work.name],
            "instead": found.suggestion,
        }
        for found in estimates(card, is_open)
    ]


def _training(card: ModelCard) -> str:
    steps, whole = duration.of_training(work_of(card.fingerprint, None, TrainingSettings()), card)
    return f"{steps} for the steps, the whole run {whole}"


def cost_table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the rows as people read them."""
    return [
        {
            "work": row["work"] + (f", {row['batch']} at a time" if row["batch"] else ""),
            "takes": f"{size_words(row['bytes'])} of {row['memory']}",
            "free": size_words(row["free_bytes"]),
            "fits": "yes" if row["fits"] else "no",
            "what would": row["instead"] or "—",
            "time": row["time"],
        }
        for row in rows
    ]


def training_work(settings: MaskedDPOSettings) -> Work:
    """Return a run as the estimate of its memory takes it."""
    return replace(TRAINING, batch=settings.batch_size, lora_rank=settings.lora_rank)
