"""safeneuron's dashboard: ``streamlit run app.py``."""

import streamlit as st

from safeneuron.ui.navigation import navigation

st.set_page_config(page_title="safeneuron", page_icon="🧠", layout="wide")
navigation().run()
