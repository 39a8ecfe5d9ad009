"""Colours behind tokens: the side by the sign, the strength by the size, and text stays readable."""

import pytest

from safeneuron.plots import palette
from safeneuron.plots.token_colours import reach, token_colours


def blended(colour, page):
    """Return the RGB of a colour with opacity over a page."""
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5, 7)]
    share = parts[3] / 255
    return [share * part + (1 - share) * below for part, below in zip(parts[:3], page, strict=True)]


def contrast(one, other):
    """Return WCAG's contrast ratio of two RGB colours."""

    def light(colour):
        linear = [(c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_sign_is_the_side_and_size_the_strength():
    strong, weak, none, below, beyond = token_colours([2.0, 0.5, 0.0, -2.0, 9.0], 2.0)
    assert strong.startswith(palette.DIFFERENCE_SCALE[-1][1]) and below.startswith(palette.DIFFERENCE_SCALE[0][1])
    assert int(weak[7:], 16) == pytest.approx(int(strong[7:], 16) / 2, abs=1)
    assert none.endswith("00") and beyond == strong


@pytest.mark.parametrize(("page", "text"), [((255, 255, 255), (49, 51, 63)), ((16, 20, 24), (250, 250, 250))])
@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_text_is_readable_on_the_strongest_colour_of_either_page(page, text, value):
    assert contrast(blended(token_colours([value], 1.0)[0], page), text) > 4.5


def test_the_scale_ends_at_the_largest_magnitude():
    assert reach([(1.0, -3.0), (2.0,)]) == 3.0
    assert reach([]) == reach([(0.0,)]) == 1.0
