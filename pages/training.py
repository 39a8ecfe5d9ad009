"""Training: masked DPO as a run of its own, watched while it goes on."""

import streamlit as st

from safeneuron import duration
from safeneuron.costs import training_work
from safeneuron.errors import UserError
from safeneuron.runs import store
from safeneuron.runs.info import UNREADABLE
from safeneuron.sizes import size_words
from safeneuron.training import start
from safeneuron.training.checkpoints import disk_need, no_room
from safeneuron.training.cost import work_of
from safeneuron.ui import (
    fitting,
    freezing,
    hand,
    launching,
    own_pairs,
    run_actions,
    run_compare,
    run_monitor,
    run_results,
    training_settings,
    training_words,
)
from safeneuron.ui.page import page
from safeneuron.ui.run_table import WATCHED, run_table

with page("Training", monitor=False) as choice:
    st.markdown(
        "Freeze the safety neurons, switch them off while it trains, and teach the model to refuse without them. A run "
        "is a process of its own: close this page and it goes on.",
        help=training_words.MASKED_DPO,
    )
    active, runs = run_monitor.active_run(), store.list_runs(start.KIND)
    # Of earlier runs, their results are looked for first.
    with st.expander("A new run", expanded=not runs or run_actions.FILLED in st.session_state, icon=":material/add:"):
        control = training_settings.presets()
        first, second, third = st.columns(3)
        to_freeze = freezing.sets(choice)
        if st.session_state.get("freeze") not in to_freeze:
            st.session_state["freeze"] = "FULL"
        name = first.segmented_control(
            "Freeze",
            list(to_freeze),
            format_func=hand.label,
            required=True,
            key="freeze",
            help=training_words.MASKED_DPO,
        )
        frozen = to_freeze[name]
        if control == "plain-dpo":
            first.caption("As a control, nothing is frozen; the preference pairs stay the same.")
        elif frozen is not None:
            random = "random " if control == "random-neurons" else ""
            first.caption(f"{len(frozen):,} {random}neurons of {choice.card.title} ({frozen.share:.2%})")
        else:
            first.caption("The run scores the model's neurons first, since nobody has yet.")
        first.toggle(
            "Switch them off while training",
            key="zeroing",
            help=training_words.FORWARD_ZEROING,
            disabled=control == "plain-dpo",
        )
        second.number_input("Optimiser steps", 1, 10_000, key="steps", disabled=st.session_state["epochs"] is not None)
        second.number_input(
            "Learning rate",
            1e-8,
            1e-2,
            step=1e-6,
            format="%.1e",
            key="rate",
            help="The peak of a cosine, after the warm-up.",
        )
        with second:
            training_settings.rounds()
            training_settings.further()
        built = third.container()
        pairs, hindrance = own_pairs.choose()
        own = bool(pairs)
        built.number_input(
            "Pairs on harmful prompts", 0, 520, key="harmful_pairs", help=training_words.PAIRS, disabled=own
        )
        built.number_input("Pairs on safe twins", 0, 520, key="twin_pairs", help=training_words.TWINS, disabled=own)
        built.number_input("Pairs on benign prompts", 0, 280, key="benign_pairs", disabled=own)
        settings = training_settings.chosen(control)
        taken = pairs
        if pairs:
            try:
                sifted = own_pairs.taken(pairs, settings)
            except UserError as error:
                hindrance = str(error)
            else:
                taken = sifted.pairs
                st.caption(f"{len(taken):,} of them are trained on. {sifted.sentence}")
        settings = settings.for_pairs(len(taken) if taken else None)
        steps = settings.dpo.max_steps
        work = work_of(choice.card.fingerprint, choice.sets, settings, taken)
        training, whole = duration.of_training(work, choice.card)
        in_rounds = f", in {settings.rounds} rounds together" if settings.rounds > 1 else ""
        st.markdown(
            f":material/schedule: The {'step takes' if steps == 1 else f'{steps} steps take'} {training}{in_rounds}; "
            f"the whole run {whole}.",
            help=f"{work.pairs:,} preference pairs, {work.answers:,} answers still to generate for them and for "
            f"{1 + 2 * settings.rounds} tables of five ablations, {work.scorings} scoring of the neurons. Up to "
            f"{size_words(disk_need(choice.card, settings) or 0)} of disk for checkpoints and models.",
        )
        how = launching.choose()
        if how.cluster == "local":
            run_monitor.queue_note("A new run")
        try:
            start.check_pairs(settings, taken)
            how.share(settings.dpo.batch_size)
        except UserError as error:
            hindrance = hindrance or str(error)
        hindrance = hindrance or no_room(choice.card, settings)
        if hindrance:
            st.warning(hindrance, icon=":material/block:")
        fits = fitting.allowed(choice.card, training_work(settings.dpo))
        if st.button(
            "Start the run",
            type="primary",
            key="start_run",
            icon=":material/play_arrow:",
            disabled=bool(hindrance) or not fits,
        ):
            try:
                with st.spinner("Starting the background process …"):
                    st.session_state[WATCHED] = start.start_training(
                        choice.card.source,
                        training_settings.frozen(control, name, frozen, settings.dpo.seed),
                        settings,
                        pairs,
                        pairs_from=own_pairs.names(),
                        how=how,
                    )
            except UserError as error:
                # Beside the form, in which it is mended, and above the runs, which have nothing to do with it.
                st.error(str(error), icon=":material/error:")
            else:
                st.session_state.pop(run_actions.FILLED, None)
                st.rerun()

    if not runs:
        st.info(
            "No run yet. The settings above are good for the default model; press Start the run.",
            icon=":material/model_training:",
        )
        st.stop()
    chosen = run_table(runs)
    if chosen.kind == UNREADABLE:
        st.error(chosen.message, icon=":material/error:")
        run_actions.bar(chosen)
        st.stop()
    run_monitor.in_page(chosen.id, choice.other, lambda: run_results.show(chosen, active))
    run_actions.bar(chosen)
    run_compare.section(runs, chosen)
