"""A person's own harmful and benign prompts: two files, read, checked, and kept under a name."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.prompts.choices import own_choice
from safeneuron.prompts.own_classes import keep_classes
from safeneuron.prompts.promptset import PromptSet, parse_prompts
from safeneuron.ui import words

ENDINGS = ["jsonl", "json", "csv", "txt"]
_MISTAKE, _COUNT = "own_prompts_mistake", "own_prompts_uploaded"


def show(place: st.delta_generator.DeltaGenerator) -> None:
    """Draw the pop-over in which files are brought."""
    with place.popover("Your own prompts", icon=":material/upload:"):
        st.caption(words.OWN_PROMPTS)
        number = st.session_state.get(_COUNT, 0)
        found = [_uploaded(kind, number) for kind in ("harmful", "benign")]
        name = st.text_input("Name", key=f"own_prompts_name_{number}", max_chars=60, placeholder="such as my prompts")
        mistake = st.session_state.pop(_MISTAKE, None)
        if mistake:
            st.error(mistake, icon=":material/error:")
        st.button(
            "Keep and use them",
            key="keep_prompts",
            disabled=None in found or not name.strip(),
            on_click=_keep,
            args=(name.strip(), *found),
        )


def _uploaded(kind: str, number: int) -> PromptSet | None:
    file = st.file_uploader(f"{kind.capitalize()} prompts", type=ENDINGS, key=f"own_{kind}_{number}")
    if file is None:
        return None
    try:
        found = parse_prompts(file.getvalue().decode("utf-8-sig"), file.name)
    except UnicodeDecodeError:
        st.error(f"{file.name} is not UTF-8 text; save it as UTF-8 and try again.", icon=":material/error:")
        return None
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return None
    st.caption(f"{len(found):,} prompts")
    return found


def _keep(name: str, harmful: PromptSet, benign: PromptSet) -> None:
    try:
        keep_classes(name, harmful, benign)
    except UserError as error:
        st.session_state[_MISTAKE] = str(error)
        return
    st.session_state["prompts"] = own_choice(name)
    # The next drawing has empty uploaders.
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1
