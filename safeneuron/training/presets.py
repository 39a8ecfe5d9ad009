"""Settings under a name, for a run and for the controls beside it; every field can still be changed after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from safeneuron.errors import UserError
from safeneuron.training.settings import MaskedDPOSettings, TrainingSettings


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    Parameters
    ----------
    name, title, about : str
        As the command line and pages call it, and what it is for.
    settings : mapping
        By field of :class:`~safeneuron.training.settings.MaskedDPOSettings` or
        :class:`~safeneuron.training.settings.TrainingSettings`; those left out stay as they are.
    frozen : str
        What is frozen, where ``{}`` stands for the set that was chosen.
    """

    name: str
    title: str
    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    frozen: str = "{}"


PRESETS = (
    Preset("standard", "Standard", "Masked DPO as in the paper, at a rate that leaves the default model its refusals."),
    Preset(
        "laptop",
        "Laptop",
        "For the default model on a laptop: small, measured in README. Compares the first 6 tokens of both answers, "
        "where refusing is decided, with a beta to match. Switches the set off in every second step, so that the model "
        "does not learn to refuse all.",
        {
            "max_steps": 40,
            "epochs": None,
            "learning_rate": 5e-5,
            # Whole answers differ by ten times as many nats as their first words.
            "beta": 1.0,
            "compared_tokens": 6,
            "zeroing_share": 0.5,
            "chosen_weight": 0.1,
            "harmful_pairs": 144,
            "twin_pairs": 72,
            "benign_pairs": 40,
            "answer_tokens": 16,
            "evaluation_limit": 16,
        },
    ),
    Preset(
        "paper",
        "The paper's",
        "SafeNeuron's hyper-parameters (arXiv 2602.12158, App. B): beta 0.1, rate 5e-6, decay 0.05, 3 epochs, 30 % "
        "safety pairs. It gives no batch size, warm-up or length: 32 pairs a step, a tenth and 1,024 tokens are ours.",
        {
            "beta": 0.1,
            "learning_rate": 5e-6,
            "weight_decay": 0.05,
            "epochs": 3,
            "batch_size": 8,
            "gradient_accumulation_steps": 4,
            "warmup": 0.1,
            "max_length": 1024,
            "forward_zeroing": True,
            "safety_share": 0.3,
            "harmful_pairs": 150,
            "twin_pairs": 150,
            "benign_pairs": 200,
        },
    ),
)
"""Of which a run has one."""

CONTROLS = (
    Preset(
        "plain-dpo",
        "Plain DPO",
        "The same pairs, seed and settings with nothing frozen and nothing switched off: what training alone does.",
        {"forward_zeroing": False},
        "ORI",
    ),
    Preset(
        "random-neurons",
        "Random neurons",
        "As many random neurons of each layer in the place of the set: whether it matters which are frozen.",
        {},
        "random({})",
    ),
)
"""What is changed beside a run to see what the set itself does; of which a run has none or one."""


def preset_named(name: str) -> Preset:
    """Return a preset or control.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    known = {preset.name: preset for preset in (*PRESETS, *CONTROLS)}
    if name not in known:
        raise UserError(f"There is no preset {name!r}; give one of {', '.join(known)}.")
    return known[name]


def changed(settings: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """Return settings with some fields changed, whichever of the two classes has them.

    Whoever gives a number of steps means that and not the epochs of a preset.
    """
    if "max_steps" in changes:
        changes = {"epochs": None, **changes}
    names = {found.name for found in fields(MaskedDPOSettings)}
    inner = {name: value for name, value in changes.items() if name in names}
    outer = {name: value for name, value in changes.items() if name not in names}
    return replace(settings, dpo=replace(settings.dpo, **inner), **outer)


def settings_of(names: Iterable[str], changes: Mapping[str, Any]) -> tuple[TrainingSettings, str]:
    """Return the settings of presets, the later ones over the earlier, with single fields changed after them.

    Returns
    -------
    settings : TrainingSettings
    frozen : str
        What they freeze, with ``{}`` where the chosen set belongs.
    """
    settings, frozen = TrainingSettings(), "{}"
    for preset in map(preset_named, names):
        settings = changed(settings, preset.settings)
        frozen = preset.frozen if preset in CONTROLS else frozen
    return changed(settings, changes), frozen
