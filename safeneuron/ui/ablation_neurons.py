"""Which neurons an ablation touches: a set, or the top of a score by a slider, in a range of layers.

Whatever is chosen is an expression (:mod:`safeneuron.sets.expression`) in hand, so that every page and a
link have it.
"""

import streamlit as st

from safeneuron.scores.result import ScoreRequest
from safeneuron.scores.score import scores
from safeneuron.scoring import classes_of
from safeneuron.sets.expression import Named, Top, written
from safeneuron.sets.parser import parse
from safeneuron.sets.slices import Slice, counts, sliced
from safeneuron.ui import hand, refusal_words, resources, words
from safeneuron.ui.address import FIRST_SCORE
from safeneuron.ui.choice import Choice

SLIDER = "top k"
NOTHING = Named("ORI")
_SCORE, _COUNT, _LAYERS, _AT_ZERO = "slider_score", "slider_count", "slider_layers", "slider_at_zero"


def show(choice: Choice) -> None:
    """Draw the menu of sets, the slider of a score's top, and the range of layers."""
    now = sliced(hand.expression())
    own = hand.name_in_hand() == hand.OWN
    if now.of == NOTHING and _AT_ZERO in st.session_state:
        # The slider stands at 0, and must not vanish from under the hand that moves it.
        now = Slice(Top(0, st.session_state[_AT_ZERO]), now.layers)
    base = hand.OWN if own else SLIDER if now.top else written(now.of)
    # All kept sets are in the sidebar's menu; here only the one in hand.
    options = list(dict.fromkeys([*hand.NAMED, SLIDER, *([hand.OWN] if hand.has_own() else []), base]))
    _stand("preset", base)
    st.segmented_control(
        "Neurons",
        options,
        format_func=hand.label,
        key="preset",
        required=True,
        wrap=True,
        on_change=_take_preset,
        args=(now, len(choice.sets["FULL"])),
        help="\n\n".join(
            [*(words.SETS.get(name, words.KEPT) for name in options if name != SLIDER), refusal_words.TOP_K]
        ),
    )
    if now.top and not own:
        _slider(choice, now)
    _layers(choice, now)


def _take_preset(now: Slice, full: int) -> None:
    name = st.session_state["preset"]
    st.session_state.pop(_AT_ZERO, None)
    if name == hand.OWN:
        hand.take(name)
    else:
        of = Top(full or 1, FIRST_SCORE) if name == SLIDER else parse(name)
        hand.take(Slice(of, now.layers).text)


def _slider(choice: Choice, now: Slice) -> None:
    left, right = st.columns([1, 2])
    _stand(_SCORE, now.top.score)
    names = list(dict.fromkeys([*_scores_kept(choice), now.top.score]))
    left.selectbox("Score", names, key=_SCORE, on_change=_take_top, args=(now,), help=refusal_words.SCORES_KEPT)
    total = choice.table.shape[0] * choice.table.shape[1]
    steps = counts(total, len(choice.sets["FULL"]), now.top.count)
    _stand(_COUNT, now.top.count)
    right.select_slider(
        "How many, the highest first",
        steps,
        format_func=lambda count: f"{count:,}",
        key=_COUNT,
        on_change=_take_top,
        args=(now,),
        help=refusal_words.TOP_K,
    )


def _stand(key: str, value: object) -> None:
    """Let a widget stand where the set in hand is.

    Said only where it does not stand there already: said at every run, it would be thrown back to where it was when
    the run began, from under the hand that moves it on.
    """
    if st.session_state.get(key) != value:
        st.session_state[key] = value


def _scores_kept(choice: Choice) -> list[str]:
    """Return the scores that an expression can ask for: those whose values are kept for this model."""
    classes = classes_of()
    return [
        name
        for name, score in scores().items()
        if score.immediate
        or (not score.needs_other and resources.result_of(ScoreRequest(name, choice.card.fingerprint, classes)))
    ]


def _take_top(now: Slice) -> None:
    count, score = st.session_state[_COUNT], st.session_state[_SCORE]
    st.session_state.pop(_AT_ZERO, None)
    if count == 0:
        st.session_state[_AT_ZERO] = score
    hand.take(Slice(Top(count, score) if count else NOTHING, now.layers).text)


def _layers(choice: Choice, now: Slice) -> None:
    last = choice.card.n_layers - 1
    if last < 1:
        return
    _stand(_LAYERS, now.layers or (0, last))
    st.slider("Layers", 0, last, key=_LAYERS, on_change=_take_layers, args=(now, last), help=refusal_words.LAYER_RANGE)


def _take_layers(now: Slice, last: int) -> None:
    chosen = st.session_state[_LAYERS]
    hand.take(Slice(now.of, None if chosen == (0, last) else chosen).text)
