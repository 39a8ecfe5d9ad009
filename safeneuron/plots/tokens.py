"""Tokens as text in a figure: what is invisible in them is made visible, and nothing in them is markup."""

from html import escape

INVISIBLE = {"\n": "↵", "\t": "⇥", "\r": "␍"}
LEGEND = "In tokens, · is a space and ↵ the end of a line."


def visible(token: str, length: int | None = None) -> str:
    """Return a token with its spaces and ends of line to be seen, cut to so many characters."""
    seen = "".join(INVISIBLE.get(character) or _printed(character) for character in token)
    if length is not None and len(seen) > length:
        seen = f"{seen[: max(1, length - 1)]}…"
    # Plotly takes <|im_end|> for a tag otherwise.
    return escape(seen, quote=False)


def _printed(character: str) -> str:
    if character.isspace():
        return "·"
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
