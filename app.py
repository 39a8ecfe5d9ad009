"""safeneuron's dashboard: ``streamlit run app.py``."""

import streamlit as st

st.set_page_config(page_title="safeneuron", page_icon="🧠", layout="wide")
st.navigation(
    [
        st.Page("pages/model.py", title="Model", icon=":material/deployed_code:"),
        st.Page("pages/neurons.py", title="Neurons", icon=":material/grid_on:", default=True),
        st.Page("pages/ablation.py", title="Ablation", icon=":material/toggle_off:"),
        st.Page("pages/training.py", title="Training", icon=":material/model_training:"),
        st.Page("pages/robustness.py", title="Robustness", icon=":material/bar_chart:"),
    ]
).run()
