"""Which folders a path typed into a page may lie in; the command line is not restricted."""

import os
from pathlib import Path

from safeneuron.errors import UserError
from safeneuron.models.catalogue import places
from safeneuron.workspace import workspace


def allowed_roots() -> list[Path]:
    """Return the folders of ``SAFENEURON_ROOTS``, or else the home folder, the workspace and the current folder."""
    named = [part for part in os.environ.get("SAFENEURON_ROOTS", "").split(os.pathsep) if part]
    roots = [Path(part).expanduser() for part in named] or [Path.home(), workspace(), Path.cwd()]
    return [root.resolve() for root in roots]


def check_roots(source: str) -> None:
    """Refuse a model's name that would make the page read outside the allowed folders.

    Symbolic links are resolved first, and what lies outside is refused alike whether it is there or not.
    An adapter's base model is checked too, by its own name, wherever that stands.

    Raises
    ------
    UserError
        When a path in the name, or one that an adapter names, lies elsewhere.
    """
    roots = allowed_roots()
    for place in places(source):
        if not any(place.is_relative_to(root) for root in roots):
            raise UserError(
                f"{source} lies outside the folders that this page may open; "
                "start Streamlit with SAFENEURON_ROOTS set to a folder above it."
            )
