"""Prompts that a person types or pastes: cleaned, one a line, counted, and not too many."""

import re
import unicodedata
from dataclasses import dataclass

from safeneuron.errors import UserError

MAX_PROMPTS = 1000
"""Pasted at once; a file has no limit on the command line."""

_UNSEEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # what colours a terminal
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # other control characters; tabs and ends of lines stay
    "|[\ud800-\udfff]"  # halves of characters
)


def seen(text: str) -> str:
    """Return a text without control characters, terminal colours, halves of characters and outer spaces.

    Signs of no width stay, since scripts and emoji are put together with them; a text of nothing else is empty.
    """
    found = _UNSEEN.sub("", text).strip()
    return found if any(unicodedata.category(sign) not in ("Cf", "Zs") for sign in found) else ""


@dataclass(frozen=True)
class TypedPrompts:
    """Prompts out of a pasted text.

    Parameters
    ----------
    prompts : tuple of str
        In their order, each once.
    repeated : int
        Lines left out because they stood there before.
    """

    prompts: tuple[str, ...]
    repeated: int


def prompt_from_text(text: str) -> str:
    """Return a typed prompt without what nobody sees, see :func:`seen`.

    Raises
    ------
    UserError
        When nothing is left.
    """
    found = seen(text)
    if not found:
        raise UserError("The prompt is empty; write one.")
    return found


def prompts_from_text(text: str, limit: int = MAX_PROMPTS) -> TypedPrompts:
    """Return the prompts of a pasted text, one a line, without blank and repeated lines.

    Raises
    ------
    UserError
        When there is none, or more than ``limit``.
    """
    lines = [line for line in map(seen, re.split(r"\r\n|\r|\n", text)) if line]
    prompts = tuple(dict.fromkeys(lines))
    if not prompts:
        raise UserError("There is no prompt; write one a line.")
    if len(prompts) > limit:
        raise UserError(
            f"These are {len(prompts):,} prompts, and at most {limit:,} are taken here; paste fewer, or give a file to "
            "`python -m safeneuron ablate --prompts FILE`."
        )
    return TypedPrompts(prompts, len(lines) - len(prompts))
