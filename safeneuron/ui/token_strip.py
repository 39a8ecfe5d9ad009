"""Tokens with a colour behind each: an activation over a text, and lists of tokens with their effects."""

from collections.abc import Sequence
from html import escape

from safeneuron.neuron_card.extremes import PromptActivation
from safeneuron.neuron_card.tokens import TokenActivations
from safeneuron.plots.token_colours import token_colours
from safeneuron.plots.tokens import visible

_TOKEN = "border-radius:3px;padding:0.1em 0;white-space:pre-wrap;"
_SPECIAL = "border:1px solid #8a8a8a88;font-family:monospace;font-size:0.72em;padding:0.1em 0.2em;opacity:0.85;"
_CHIP = "display:inline-block;border-radius:4px;padding:0.05em 0.4em;margin:0.12em 0.2em;font-family:monospace;"
_BOX = "line-height:1.8;overflow-wrap:anywhere;margin-bottom:0.7em;"
_SMALL = "font-size:0.82em;opacity:0.8;"


def prompt_html(about: PromptActivation, row: TokenActivations | None, end: float, start: int = 0) -> str:
    """Return one prompt as HTML, with a colour behind each token where there are activations.

    Parameters
    ----------
    about : PromptActivation
    row : TokenActivations or None
        None while the prompt was not read token by token.
    end : float
        The magnitude at which the colour is strongest.
    start : int
        The first token to draw.
    """
    head = f'<div style="{_SMALL}">{escape(about.kind)} · {about.activation:+.2f}</div>'
    return f'<div style="{_BOX}">{head}{escape(about.prompt) if row is None else tokens_html(row, end, start)}</div>'


def tokens_html(row: TokenActivations, end: float, start: int = 0, stop: int | None = None) -> str:
    """Return a part of a row's tokens as HTML."""
    part = slice(start, stop)
    values = row.activations[part]
    return "".join(
        _token(text, special, value, colour)
        for text, special, value, colour in zip(
            row.tokens[part], row.special[part], values, token_colours(values, end), strict=True
        )
    )


def legend_html(end: float) -> str:
    """Return the scale of the colours as HTML."""
    steps = [share * end for share in (-1.0, -0.25, 0.0, 0.25, 1.0)]
    boxes = "".join(
        f'<span style="{_CHIP}background:{colour}">{value:+.2f}</span>'
        for value, colour in zip(steps, token_colours(steps, end), strict=True)
    )
    return f'<div style="{_SMALL}">activation {boxes}</div>'


def chips_html(tokens: Sequence[tuple[str, float]], end: float) -> str:
    """Return tokens with their effects as HTML, in their order."""
    colours = token_colours([value for _, value in tokens], end)
    return "".join(
        f'<span style="{_CHIP}background:{colour}" title="{value:+.3f}">{visible(text)}</span>'
        for (text, value), colour in zip(tokens, colours, strict=True)
    )


def _token(text: str, special: bool, value: float, colour: str) -> str:
    broken = escape(text).replace("\n", "↵\n")
    style = f"{_TOKEN}{_SPECIAL if special else ''}background:{colour}"
    return f'<span style="{style}" title="{value:+.3f}">{broken}</span>'
