"""What a background job does that reads prompts for the Overlap page and compares what it read."""

from contextlib import nullcontext

import torch

from safeneuron import pace
from safeneuron.compute import shared_threads
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import model_card, open_card
from safeneuron.models.chat_names import spoken_as
from safeneuron.models.loaded import LoadedModel
from safeneuron.models.parity import require_parity
from safeneuron.overlap.analysis import computed, passes_left, read_parts
from safeneuron.overlap.start import COMPARING, NOT_COMPARED, READING, material_from
from safeneuron.progress import Progress
from safeneuron.runs import store
from safeneuron.runs.starting import SETTINGS
from safeneuron.runs.worker import Reporter, part

COMPARISONS = 8
"""Steps of comparing: categories, similarity of layers, directions, probes, their transfer, stability; the runs'."""


def run(report: Reporter) -> None:
    """Carry out the job; whatever fails is written down by the caller."""
    # This process does nothing else, so its only thread may keep the setting.
    torch.set_num_threads(shared_threads(busy=True))
    facts = store.get_json(report.run_id, SETTINGS)
    parts, cards = facts["parts"], [model_card(source) for source in facts["sources"]]
    materials = {card.source: material_from(card.fingerprint, facts["prompts"]) for card in cards}
    report(READING, 0.0)
    for place, card in enumerate(cards):
        material, first = materials[card.source], place == 0
        passes = passes_left(card, material, parts, first)
        # A pass has a step for each class; before it the model is opened, behind it what neurons write is added up.
        share = _Along(part(report, place / len(cards), (place + 1) / len(cards)), 2 * len(passes) + 2)
        # Each model is let go of before the next is opened.
        with pace.measured("run reading", sum(passes), card) if passes else nullcontext():
            read_parts(card, material, parts, first, _Opened(card, share), share)
    report(COMPARING, 0.0)
    found, refused = computed(materials, parts, facts["thresholds"], _Along(report, COMPARISONS))
    if refused and not found:
        raise UserError(" ".join(dict.fromkeys(refused.values())))
    if refused:
        store.put_json(report.run_id, NOT_COMPARED, refused)


class _Along:
    """A progress over so many steps one after another, each of which reports from 0 to 1; the last may be several."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress, self._steps = progress, steps
        self._step, self._at = "", -1

    def __call__(self, step: str, fraction: float) -> None:
        """Report what share of all steps is done."""
        if step != self._step:
            self._step, self._at = step, min(self._at + 1, self._steps - 1)
        self._progress(step, (self._at + fraction) / self._steps)


class _Opened:
    """Opens a model when it is first asked for."""

    def __init__(self, card: ModelCard, progress: Progress) -> None:
        self._card, self._progress = card, progress
        self._models: tuple[LoadedModel, LoadedModel] | None = None

    def __call__(self) -> tuple[LoadedModel, LoadedModel]:
        """Return the weights spoken to by themselves, and as the card says; self-checked."""
        if self._models is None:
            plain = open_card(self._card.plain or self._card, self._progress)
            spoken = spoken_as(plain, self._card) if self._card.chat else plain
            require_parity(spoken, self._progress)
            self._models = plain, spoken
        return self._models
