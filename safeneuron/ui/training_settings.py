"""The settings of a new run: a preset, a control beside it, and every single field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from safeneuron.neurons import NeuronSet, random_like
from safeneuron.training.presets import CONTROLS, PRESETS, changed, preset_named, settings_of
from safeneuron.training.settings import TrainingSettings
from safeneuron.training.trackers import TRACKERS
from safeneuron.ui import freezing, hand, training_words

NO_CONTROL = "None"
_PRESET, CONTROL = "training_preset", "training_control"
FIRST_PRESET = "laptop"
"""The one that is measured in README on the model that a visitor finds chosen, and that takes the least time."""


@dataclass(frozen=True)
class NumberField:
    """A number among the further settings: its label, bounds, step and explanation, and what being empty means."""

    label: str
    least: float
    most: float
    step: float
    help: str
    format: str | None = None
    empty: str | None = None


FURTHER: Mapping[str, NumberField] = {
    "epochs": NumberField("Epochs", 1, 100, 1, training_words.EPOCHS, empty="by steps"),
    "batch_size": NumberField("Pairs in a batch", 1, 256, 1, "Computed together; fewer take less memory."),
    "gradient_accumulation_steps": NumberField("Batches in a step", 1, 1024, 1, "Their gradients are added up."),
    "zeroing_share": NumberField("Share of steps zeroed", 0.05, 1.0, 0.05, training_words.ZEROING_SHARE),
    "chosen_weight": NumberField("Likelihood's weight", 0.0, 10.0, 0.05, training_words.CHOSEN_WEIGHT),
    "compared_tokens": NumberField("Tokens compared", 0, 4096, 4, training_words.COMPARED_TOKENS),
    "answer_tokens": NumberField("Tokens of an answer", 1, 512, 8, "Of the model's own answers in built pairs."),
    "beta": NumberField("Beta", 0.001, 10.0, 0.01, training_words.BETA, "%.3f"),
    "weight_decay": NumberField("Weight decay", 0.0, 1.0, 0.01, training_words.WEIGHT_DECAY, "%.3f"),
    "warmup": NumberField("Warm-up", 0.0, 0.9, 0.05, "Share of the steps in which the learning rate rises from 0."),
    "max_grad_norm": NumberField("Largest gradient", 0.0, 100.0, 0.1, training_words.CLIPPING),
    "max_length": NumberField("Longest pair", 16, 32768, 64, "Tokens of prompt and answer; longer pairs are left out."),
    "safety_share": NumberField("Share of safety pairs", 0.0, 0.95, 0.05, training_words.SAFETY_SHARE, empty="all"),
    "pairs_limit": NumberField("Most own pairs", 1, 10**6, 1, training_words.PAIRS_LIMIT, empty="all"),
    "seed": NumberField("Seed", 0, 10**6, 1, "Chooses prompts and wordings, and orders the pairs."),
    "lora_rank": NumberField("LoRA rank", 0, 512, 4, training_words.LORA),
    "lora_alpha": NumberField("LoRA alpha", 1.0, 1024.0, 4.0, "The adapter counts alpha divided by rank."),
    "save_steps": NumberField("Steps per checkpoint", 0, 10_000, 4, training_words.CHECKPOINTS),
    "evaluate_every": NumberField("Steps per refusal check", 0, 10_000, 1, training_words.EVALUATE_EVERY),
    "threads": NumberField("Threads", 1, 512, 1, training_words.THREADS, empty="half"),
    "evaluation_limit": NumberField(
        "Evaluation prompts", 1, 512, 2, training_words.EVALUATION_PROMPTS, empty="64 or 10"
    ),
}
"""By field of the settings."""

SWITCH = {"by device": None, "yes": True, "no": False}
BY_DEVICE = {
    "bf16": ("Compute in bfloat16", "Half the memory for activations. By device: on Nvidia's GPUs."),
    "gradient_checkpointing": ("Recompute activations", "Less memory, a third more time. By device: on GPUs."),
}
"""Settings that the device decides unless somebody does."""

SHOWN = {
    "steps": "max_steps",
    "rate": "learning_rate",
    "zeroing": "forward_zeroing",
    "harmful_pairs": "harmful_pairs",
    "twin_pairs": "twin_pairs",
    "benign_pairs": "benign_pairs",
    "freeze_down_column": "freeze_down_column",
    "rounds": "rounds",
    "stop_when_flat": "stop_when_flat",
} | {name: name for name in FURTHER}
"""The widgets by key, with the field that each one changes."""


def presets() -> str:
    """Draw the menus of presets and controls; return the name of the control, or :data:`NO_CONTROL`."""
    if _PRESET not in st.session_state:
        st.session_state[_PRESET] = FIRST_PRESET
    if "steps" not in st.session_state:
        _fill_preset()
    first, second, _ = st.columns(3)
    chosen = first.selectbox(
        "Preset",
        [preset.name for preset in PRESETS],
        format_func=lambda name: preset_named(name).title,
        key=_PRESET,
        on_change=_fill_preset,
        help="Fills in the settings below, each of which can still be changed.",
    )
    first.caption(preset_named(chosen).about)
    control = second.selectbox(
        "Control",
        [NO_CONTROL, *(preset.name for preset in CONTROLS)],
        format_func=lambda name: name if name == NO_CONTROL else preset_named(name).title,
        key=CONTROL,
        help=training_words.CONTROL,
    )
    if control != NO_CONTROL:
        second.caption(preset_named(control).about)
    return control


def control_of(name: str) -> tuple[str, str]:
    """Return the control that a set's name says a run was, and the set it stood beside, FULL where it does not say."""
    if name == preset_named("plain-dpo").frozen:
        return "plain-dpo", "FULL"
    before, after = preset_named("random-neurons").frozen.split("{}")
    if name.startswith(before) and name.endswith(after):
        return "random-neurons", name.removeprefix(before).removesuffix(after)
    return NO_CONTROL, name


def further() -> None:
    """Draw the settings that are seldom changed."""
    with st.popover("All settings", icon=":material/tune:"):
        for start in range(0, len(FURTHER), 3):
            for column, name in zip(st.columns(3), list(FURTHER)[start : start + 3], strict=False):
                field = FURTHER[name]
                column.number_input(
                    field.label,
                    field.least,
                    field.most,
                    step=field.step,
                    format=field.format,
                    key=name,
                    help=field.help,
                    placeholder=field.empty,
                )
        for column, (name, (label, text)) in zip(st.columns(2), BY_DEVICE.items(), strict=True):
            column.segmented_control(label, list(SWITCH), key=name, required=True, help=text)
        st.toggle("Freeze the down-projection's columns too", key="freeze_down_column", help=training_words.DOWN_COLUMN)
        st.text_input(
            "Modules that get a LoRA adapter",
            key="lora_modules",
            placeholder="all linear modules of the layers",
            help="Names such as q_proj v_proj, with spaces between them. Only with a LoRA rank above 0.",
            disabled=not st.session_state["lora_rank"],
        )
        st.multiselect(
            "Report to", list(TRACKERS), format_func=TRACKERS.get, key="report_to", help=training_words.REPORT_TO
        )


def rounds() -> None:
    """Draw how many rounds there are to be."""
    count = st.number_input("Rounds", 1, 20, key="rounds", help=training_words.ROUNDS)
    st.toggle(
        "Stop when refusals rise no more", key="stop_when_flat", help=training_words.STOP_WHEN_FLAT, disabled=count == 1
    )


def chosen(control: str) -> TrainingSettings:
    """Return what the preset, the control and the widgets say."""
    fields = {field: st.session_state[key] for key, field in SHOWN.items()}
    fields |= {name: SWITCH[st.session_state[name]] for name in BY_DEVICE}
    settings, _ = settings_of([st.session_state[_PRESET]], {"thresholds": hand.thresholds()})
    fields |= {"lora_modules": st.session_state["lora_modules"].split(), "report_to": st.session_state["report_to"]}
    settings = changed(settings, fields)
    return settings if control == NO_CONTROL else changed(settings, preset_named(control).settings)


def frozen(control: str, name: str, neurons: NeuronSet | None, seed: int) -> str | NeuronSet:
    """Return what the run freezes: a set, or the text of one that it finds by itself."""
    if name in freezing.FOUND_BY_THE_RUN or control == "plain-dpo":
        return name if control == NO_CONTROL else preset_named(control).frozen.format(name)
    return neurons if control == NO_CONTROL else random_like(neurons, seed)


def _fill_preset() -> None:
    """Put the preset's values into the widgets."""
    fill(settings_of([st.session_state[_PRESET]], {})[0])


def fill(settings: TrainingSettings) -> None:
    """Put settings into the widgets, before these are drawn."""
    values: dict[str, Any] = vars(settings) | vars(settings.dpo)
    for key, field in SHOWN.items():
        st.session_state[key] = values[field]
    for name in BY_DEVICE:
        st.session_state[name] = next(text for text, value in SWITCH.items() if value == values[name])
    st.session_state["lora_modules"] = " ".join(settings.dpo.lora_modules)
    st.session_state["report_to"] = list(settings.dpo.report_to)
