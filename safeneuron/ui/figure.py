"""The one way a figure is drawn: title, chart, downloads, and what it shows and does not."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from safeneuron.plots.figure import Figure
from safeneuron.ui.worked import worked


def show(figure: Figure, key: str, selectable: bool = False, config: Mapping[str, Any] | None = None) -> Any:
    """Draw a figure; with ``selectable``, boxes and lassos on it are returned as Streamlit's event.

    More of Plotly's configuration can be given. The picture is saved from the chart's own tool bar,
    its numbers from the button below it.
    """
    st.markdown(f"**{figure.title}**")
    # A chart that was drawn anew in the part that was looked at would take that part for the whole.
    zooming = {"doubleClick": "autosize", "modeBarButtonsToRemove": ["resetScale2d"]} if selectable else {}
    config = {
        "displaylogo": False,
        "toImageButtonOptions": {"filename": f"safeneuron-{figure.name}", "format": "png", "scale": 2},
        "displayModeBar": True if selectable else "hover",
        **zooming,
        **(config or {}),
    }
    event = st.plotly_chart(
        figure.plotly,
        width="stretch",
        key=key,
        config=config,
        alt=f"{figure.title}. {figure.about}",
        **({"on_select": "rerun"} if selectable else {}),
    )
    with st.expander("What this shows, and what it does not"):
        st.markdown(f"**What it shows.** {figure.about}")
        st.markdown(f"**What it does not show.** {figure.caveat}")
        example = worked(figure.name)
        if example:
            st.markdown(f":material/school: {example}")
        st.download_button(
            "Numbers (CSV)",
            data=lambda: figure.data.to_csv(index=False).encode(),
            file_name=f"safeneuron-{figure.name}.csv",
            mime="text/csv",
            key=f"{key}_csv",
            on_click="ignore",
            icon=":material/download:",
        )
    return event
