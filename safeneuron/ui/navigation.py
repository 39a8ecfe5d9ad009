"""The pages, in the order of the story, and the one way in.

Streamlit takes a folder called ``pages`` for its older kind of app until ``st.navigation`` was called
once. A link to a page that is the first thing anybody opens after the server started would run that
page alone, without app.py; :func:`ensure` notices and starts again through it.
"""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

_ENTERED = "entered"


def navigation() -> StreamlitPage:
    """Return the page that the address names; the first visit lands on Neurons."""
    st.session_state[_ENTERED] = True
    return st.navigation(
        [
            st.Page("pages/model.py", title="Model", icon=":material/deployed_code:"),
            st.Page("pages/neurons.py", title="Neurons", icon=":material/grid_on:", default=True),
            st.Page("pages/ablation.py", title="Ablation", icon=":material/toggle_off:"),
            st.Page("pages/training.py", title="Training", icon=":material/model_training:"),
            st.Page("pages/robustness.py", title="Robustness", icon=":material/bar_chart:"),
        ]
    )


def ensure() -> None:
    """Start the script again through app.py if it was passed over."""
    if _ENTERED not in st.session_state:
        navigation()
        st.rerun()
