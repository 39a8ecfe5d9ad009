"""Figures: data in; out comes a plotly figure with what it shows and what it does not. No streamlit, no torch."""
