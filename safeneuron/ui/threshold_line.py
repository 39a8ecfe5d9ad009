"""The line in a score's histogram: dragging it moves the same threshold as the slider.

Streamlit does not tell where a shape was dragged to, so a component that draws nothing listens to the
chart and tells it.
"""

import streamlit as st

from safeneuron.scores.score import scores
from safeneuron.threshold_steps import in_steps
from safeneuron.ui.address import threshold_name

AREA = "score_histogram_area"
"""Key of the container in which the histogram and the listener are."""
DRAGGABLE = {"edits": {"shapePosition": True}}
"""Plotly's configuration of a chart whose lines can be dragged."""
_LISTENER = "threshold_listener"
_MOVED = "threshold_moved"
_LISTEN = """
export default function ({ data, setStateValue }) {
  const area = document.querySelector(`.st-key-${data.area}`)
  if (!area) return
  area.tellThreshold = (value) => setStateValue("dragged", { value, number: Date.now() })
  const listen = () => {
    const chart = area.querySelector(".js-plotly-plot")
    if (!chart?.on || chart.isHeard) return
    chart.isHeard = true
    chart.on("plotly_relayout", (change) => {
      const moved = change["shapes[0].x0"]
      if (moved !== undefined) area.tellThreshold(Number(moved))
    })
  }
  listen()
  const observer = new MutationObserver(listen)
  observer.observe(area, { childList: true, subtree: true })
  return () => observer.disconnect()
}
"""


@st.fragment
def listen(name: str) -> None:
    """Listen to the histogram of this score, which must be in the container :data:`AREA`, as this must be."""
    listener = st.components.v2.component("safeneuron_threshold_listener", js=_LISTEN)
    listener(key=_LISTENER, data={"area": AREA}, height=1, on_dragged_change=lambda: _move(name))
    if st.session_state.pop(_MOVED, False):
        st.rerun()


def _move(name: str) -> None:
    dragged = float(st.session_state[_LISTENER]["dragged"]["value"])
    # In the slider's steps, or the slider could not show it.
    st.session_state[threshold_name(name)] = in_steps(scores()[name], dragged)
    st.session_state[_MOVED] = True
