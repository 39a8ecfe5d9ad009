"""Pairs of prompt classes that a person brought along, kept in the workspace under a name, with their categories."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.prompts.classes import PromptClasses, prompt_classes
from safeneuron.prompts.promptset import PromptSet
from safeneuron.workspace import workspace, write_json

NAME = re.compile(r"[\w][\w .-]{0,59}")


def keep_classes(
    name: str, harmful: PromptSet, benign: PromptSet, categories: Mapping[str, str] | None = None
) -> PromptClasses:
    """Keep two classes of prompts under a name, and return them cleaned.

    Parameters
    ----------
    categories : mapping of str to str, optional
        The category of harm of each harmful prompt, in the person's own words.

    Raises
    ------
    UserError
        When the name is taken or no name, or a class has too few prompts.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name prompts; use at most 60 letters, digits, spaces and - _ . and begin with a letter "
            "or digit."
        )
    if _path(name).exists():
        raise UserError(f"There are prompts called {name} already; choose another name.")
    found = prompt_classes(harmful, benign)
    classes = {"harmful": harmful, "benign": benign}
    write_json(
        _path(name),
        {kind: {"name": prompts.name, "prompts": list(prompts.prompts)} for kind, prompts in classes.items()}
        | {"categories": dict(categories or {})},
    )
    return found


def own_names() -> list[str]:
    """Return the names of the kept pairs of classes."""
    return sorted(path.stem for path in _folder().glob("*.json") if not path.name.startswith("."))


def own_classes(name: str) -> PromptClasses:
    """Return a kept pair of classes.

    Raises
    ------
    UserError
        When there is none of this name, or its file is damaged.
    """
    facts = _facts(name)
    try:
        return prompt_classes(
            *(PromptSet(facts[kind]["name"], tuple(facts[kind]["prompts"])) for kind in ("harmful", "benign"))
        )
    except (KeyError, TypeError) as error:
        raise _damaged(name) from error


def own_categories(name: str) -> dict[str, str]:
    """Return the category of harm of each harmful prompt of a kept pair; empty where it was brought without.

    Raises
    ------
    UserError
        As :func:`own_classes` does.
    """
    try:
        # Pairs of earlier versions have none.
        return dict(_facts(name).get("categories", {}))
    except (AttributeError, TypeError, ValueError) as error:
        raise _damaged(name) from error


def _facts(name: str) -> Any:
    if name not in own_names():
        raise UserError(f"There are no prompts called {name!r} in this workspace; bring their files again.")
    try:
        return json.loads(_path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(name) from error


def _damaged(name: str) -> UserError:
    return UserError(f"{_path(name)} is damaged; delete it and bring the prompts again.")


def _path(name: str) -> Path:
    return _folder() / f"{name}.json"


def _folder() -> Path:
    return workspace() / "prompts"
