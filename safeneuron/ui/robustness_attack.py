"""Iterative pruning: an attack that finds the neurons again after each round, carried out when asked for."""

import streamlit as st

from safeneuron import duration
from safeneuron.iterative_pruning import ROUNDS, AttackSettings, iterative_pruning, kept_iterative_pruning
from safeneuron.models.card import ModelCard
from safeneuron.models.fit import GENERATING
from safeneuron.plots.attack_rounds import attack_rounds
from safeneuron.prompts import builtin
from safeneuron.prompts.promptset import PromptSet
from safeneuron.ui import figure, fitting, hand, opening, refusal_words, resources
from safeneuron.ui.choice import Choice, label
from safeneuron.ui.work import asked, begun, long_work

SIZES = {"16": 16, "32": 32, "all 80": None}


def show(choice: Choice, fits: bool) -> None:
    """Draw the attack on the chosen model, and on the compared one, or offer to carry it out where they fit."""
    st.subheader("Iterative pruning", anchor=False, help=refusal_words.ITERATIVE_PRUNING)
    size = st.segmented_control(
        "Harmful test prompts",
        list(SIZES),
        default="16",
        required=True,
        key="attack_size",
        persist_state="session",
    )
    prompts = builtin.harmful("test").head(SIZES[size])
    settings = AttackSettings(thresholds=hand.thresholds())
    kept = {
        card: kept_iterative_pruning(card.fingerprint, prompts, settings)
        for card in filter(None, (choice.other, choice.card))
    }
    attacks = {label(card): found for card, found in kept.items() if found}
    missing = [card for card, found in kept.items() if not found]
    if missing:
        others = [card for card in missing if card != choice.card]
        _offer(missing, prompts, settings, fits and all(fitting.allowed(card, GENERATING) for card in others))
    if not attacks:
        return
    figure.show(attack_rounds(attacks), key="attack_rounds")
    for title, attack in attacks.items():
        end = attack.rounds[-1]
        early = "; nothing new was found after that" if end.round < ROUNDS else ""
        control = f"; as many random ones off: {attack.random}" if attack.random else ""
        st.caption(f"{title}, {len(end.neurons):,} neurons off after round {end.round}: {end.refusal}{control}{early}.")


def _offer(missing: list[ModelCard], prompts: PromptSet, settings: AttackSettings, fits: bool) -> None:
    names = " and ".join(map(label, missing))
    # The first round's neurons are FULL, known where the model was scored; it is also asked as it is and as a control.
    scorings = sum(ROUNDS - (resources.scores_of(card) is not None) for card in missing)
    answers = len(missing) * (ROUNDS + 2) * len(prompts)
    if not asked(
        f"attack {[card.fingerprint for card in missing]} {len(prompts)} {settings}",
        f"Attack {names} in {ROUNDS} rounds: {answers} answers ({duration.of_attack(scorings, answers, missing[0])})",
        "attack",
        icon=":material/play_arrow:",
        disabled=not fits,
        help="Each round reads the prompts that neurons are found with again, with all neurons found before switched "
        "off. Stopped, it goes on from the last thing that was complete.",
    ):
        return
    loaded_models = [opening.opened(card) for card in missing]
    begun()
    for card, loaded in zip(missing, loaded_models, strict=True):
        with long_work(f"Attacking {label(card)} in {ROUNDS} rounds", f"attack_{card.fingerprint}") as progress:
            iterative_pruning(loaded, prompts, settings, progress)
    st.rerun()
