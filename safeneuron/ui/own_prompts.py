"""A person's own harmful and benign prompts: two files, read, checked, and kept under a name, with their categories."""

import streamlit as st

from safeneuron.errors import UserError
from safeneuron.prompts.choices import own_choice
from safeneuron.prompts.own_classes import keep_classes
from safeneuron.prompts.promptset import PromptSet, label_columns, parse_labels, parse_prompts
from safeneuron.ui import words

ENDINGS = ["jsonl", "json", "csv", "txt"]
NONE = "none"
CATEGORY = "category"
"""A column of this name is taken for the categories unless another is chosen."""
_MISTAKE, _COUNT = "own_prompts_mistake", "own_prompts_uploaded"


def show(place: st.delta_generator.DeltaGenerator) -> None:
    """Draw the pop-over in which files are brought."""
    with place.popover("Your own prompts", icon=":material/upload:"):
        st.caption(words.OWN_PROMPTS)
        number = st.session_state.get(_COUNT, 0)
        harmful, text = _uploaded("harmful", number)
        categories = _categories(text, number) if harmful else None
        benign, _ = _uploaded("benign", number)
        name = st.text_input("Name", key=f"own_prompts_name_{number}", max_chars=60, placeholder="such as my prompts")
        mistake = st.session_state.pop(_MISTAKE, None)
        if mistake:
            st.error(mistake, icon=":material/error:")
        st.button(
            "Keep and use them",
            key="keep_prompts",
            disabled=harmful is None or benign is None or categories is None or not name.strip(),
            on_click=_keep,
            args=(name.strip(), harmful, benign, categories),
        )


def _uploaded(kind: str, number: int) -> tuple[PromptSet | None, str]:
    """Return the prompts of an uploaded file and its text; None where there is none, or it cannot be read."""
    file = st.file_uploader(f"{kind.capitalize()} prompts", type=ENDINGS, key=f"own_{kind}_{number}")
    if file is None:
        return None, ""
    try:
        text = file.getvalue().decode("utf-8-sig")
        found = parse_prompts(text, file.name)
    except UnicodeDecodeError:
        st.error(f"{file.name} is not UTF-8 text; save it as UTF-8 and try again.", icon=":material/error:")
        return None, ""
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return None, ""
    st.caption(f"{len(found):,} prompts")
    return found, text


def _categories(text: str, number: int) -> dict[str, str] | None:
    """Return the category of each harmful prompt by a column that the person chooses; None where it lacks some."""
    # Its own name, since a prompt set is called after its file without the ending.
    file = st.session_state[f"own_harmful_{number}"].name
    columns = label_columns(text, file)
    if not columns:
        return {}
    label = st.selectbox(
        "Column of the category of harm",
        [NONE, *columns],
        index=columns.index(CATEGORY) + 1 if CATEGORY in columns else 0,
        key=f"own_category_{number}",
        help=words.OWN_CATEGORIES,
    )
    if label == NONE:
        return {}
    try:
        found = parse_labels(text, file, label)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
        return None
    count = len(set(found.values()))
    st.caption("1 category" if count == 1 else f"{count:,} categories")
    return found


def _keep(name: str, harmful: PromptSet, benign: PromptSet, categories: dict[str, str]) -> None:
    try:
        keep_classes(name, harmful, benign, categories)
    except UserError as error:
        st.session_state[_MISTAKE] = str(error)
        return
    st.session_state["prompts"] = own_choice(name)
    # The next drawing has empty uploaders.
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1
