"""What part of the neuron map is looked at, and with which tool: kept while the map is drawn anew.

Whenever the set in hand changes, Streamlit puts a new chart in the old one's place, with the whole map
and the first tool. It does not tell which part was looked at, so a component that draws nothing
listens to the chart and tells it. It is a fragment: zooming runs nothing else again.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from safeneuron.plots.neuron_map import TOOLS, View

AREA = "neuron_map_area"
"""Key of the container in which the map and the listener are."""
_VIEW = "map_view"
_LISTENER = "map_listener"
_LISTEN = """
export default function ({ data, setStateValue }) {
  const area = document.querySelector(`.st-key-${data.area}`)
  if (!area) return
  area.tellView = (view) => setStateValue("view", view)
  const listen = () => {
    const chart = area.querySelector(".js-plotly-plot")
    if (!chart?.on || chart.isHeard) return
    chart.isHeard = true
    const view = () => {
      const { xaxis, yaxis, dragmode } = chart.layout
      return { neurons: xaxis.range, layers: yaxis.range, tool: dragmode }
    }
    let told = JSON.stringify(view())
    chart.on("plotly_relayout", () => {
      // A box is a relayout too, and changes no view.
      const now = JSON.stringify(view())
      if (now !== told) area.tellView(JSON.parse(now))
      told = now
    })
  }
  listen()
  const observer = new MutationObserver(listen)
  observer.observe(area, { childList: true, subtree: true })
  return () => observer.disconnect()
}
"""


def kept(shape: tuple[int, int]) -> View | None:
    """Return the part of the map that was looked at last, if it was a map of this shape ``(n_layers, d_mlp)``."""
    found = st.session_state.get(_VIEW)
    return found[1] if found and found[0] == shape else None


@st.fragment
def listen(shape: tuple[int, int]) -> None:
    """Listen to the map of this shape, which must be in the container :data:`AREA`, as this must be."""
    listener = st.components.v2.component("safeneuron_map_view", js=_LISTEN)
    listener(key=_LISTENER, data={"area": AREA}, height=1, on_view_change=lambda: _keep(shape))


def _keep(shape: tuple[int, int]) -> None:
    told = st.session_state[_LISTENER]["view"]
    st.session_state[_VIEW] = (shape, _view(told))


def _view(told: Mapping[str, Any]) -> View | None:
    """Return what the browser told, or None, the whole map, where it is none of its tools."""
    if told["tool"] not in TOOLS:
        return None
    neurons, layers = (tuple(float(end) for end in told[axis]) for axis in ("neurons", "layers"))
    return View(neurons, layers, told["tool"])
