"""Ablation: switch the set off, watch the refusal meter, then read the answers."""

import streamlit as st

from safeneuron.neurons import NeuronSet
from safeneuron.ui import ablation_answers, ablation_meter, hand, neuron_table, opening, words
from safeneuron.ui.page import page

with page("Ablation") as choice:
    if choice.table is None:
        opening.need_scores(choice.card)
    st.markdown(
        "Neurons that are off give 0 at every position, in memory only. The meter follows each switch; the "
        "answers below are the test.",
        help=words.ABLATION,
    )
    # All kept sets are in the sidebar's menu; here only the one in hand.
    options = list(dict.fromkeys([*hand.NAMED, *([hand.OWN] if hand.has_own() else []), hand.name_in_hand()]))
    st.session_state["preset"] = hand.name_in_hand()
    st.segmented_control(
        "Switch off",
        options,
        format_func=hand.label,
        key="preset",
        required=True,
        on_change=lambda: hand.take(st.session_state["preset"]),
        help="\n\n".join(words.SETS.get(name, words.KEPT) for name in options),
    )
    name = hand.label(hand.name_in_hand())
    # Two models' meters need the whole width; the table of switches then stands below them.
    meter, table = (st.container(), st.container()) if choice.other else st.columns([3, 2], gap="medium")
    with table:
        off = choice.hand
        if len(off):
            st.markdown(f"**{name}: {len(off):,} neurons**, strongest first", help=words.NEURON_SET)
            back = neuron_table.switches(choice.table, off, f"switches_{hash(off.neurons)}")
            if back:
                name = f"{name} − {len(back)}"
                off = NeuronSet(name, off.model, off.shape, off.neurons - back)
                st.button(
                    f"Keep these {len(off):,} as the set in hand", key="keep_own", on_click=hand.change, args=(back,)
                )
        else:
            st.info(
                "Nothing is switched off. Choose a set above, or click neurons on the map of the Neurons page.",
                icon=":material/touch_app:",
            )
    with meter:
        opening.opened(choice.card)
        ablation_meter.show(choice, off, name)
    st.divider()
    ablation_answers.on_prompts(choice, off, name)
    st.divider()
    ablation_answers.own_prompt(choice, off, name)
