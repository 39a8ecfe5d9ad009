"""One vocabulary of colours, readable by colour-blind people on light and dark pages.

The qualitative colours are Tol's "vibrant" scheme (orange made lighter, so that it stays apart from
red in lightness too). Scores use Cividis, which is perceptually uniform and looks the same with red-green blindness;
differences use a blue-red scale whose middle, zero, is neutral.
"""

CONDITIONS = {
    "ORI": "#7a7a7a",
    "ES": "#0077bb",
    "SAS": "#ee9a33",
    "FULL": "#cc3311",
    "RANDOM": "#bcbcbc",
    "own set": "#aa4499",
}
"""Colour of what is ablated, the same on every plot."""

OUTLINE = "#7a7a7a"
"""Edge of light bars, which would vanish on a white page."""

RUNS = ("#009988", "#ee3377", "#33bbee", "#997700", "#6699cc")
"""Colours of runs, given out in this order."""

PARTS = {"attention": "#6699cc", "MLP": "#997700"}
"""The two parts of a layer; of Tol's "medium contrast", and apart in lightness too."""

KINDS = {"harmful": "#d6604d", "benign": "#4393c3", "twin": "#8cc3de"}
"""Colour of each kind of prompt: the red and blue sides of the scale of differences, apart in lightness from both
backgrounds; twins, which are benign too, in a lighter blue."""

MEMBERSHIP = {
    "found": CONDITIONS["FULL"],
    "kept": CONDITIONS["FULL"],
    "returned": "#9955bb",
    "joined": "#33aadd",
    "left": "#8a8a8a",
    "out": "#8a8a8a",
    "not yet": "#8a8a8a",
}
"""Colour of what became of a safety neuron from round to round (:mod:`safeneuron.sets.flow`): in the set red, new in it
blue, of which the lightness differs too, and outside it grey."""

SCORE_SCALE = "Cividis"

DIFFERENCE_SCALE = (
    (0.0, "#2166ac"),
    (0.25, "#67a9cf"),
    (0.5, "#e6e6e6"),
    (0.75, "#ef8a62"),
    (1.0, "#b2182b"),
)

MEMBER = "#ff4b2b"
"""Markers of the set in hand on a neuron map; apart from Cividis in hue and from both its ends in lightness."""

MEMBER_ON_DIFFERENCE = "#1f1f1f"
"""The same on a map of differences, whose cells are red themselves; the frame of the neuron shown, too."""


CHOSEN = "#00e5c8"
"""Frame of the one neuron whose numbers are shown: turquoise, on blue, grey, yellow and red cells alike."""


def run_colour(number: int) -> str:
    """Return the colour of a run by its place among all runs, so that it has the same one on every plot."""
    return RUNS[number % len(RUNS)]


def condition_colour(name: str) -> str:
    """Return the colour of a condition; a set of the person's own has one colour, whatever its name."""
    return CONDITIONS.get(name, CONDITIONS["own set"])


def faint(colour: str, opacity: float) -> str:
    """Return a colour given as ``#rrggbb`` through which others are seen."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
