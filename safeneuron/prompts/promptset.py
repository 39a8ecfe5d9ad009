"""A prompt set, and reading one from a file: JSONL, JSON, CSV or TXT."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError

COLUMNS = ("prompt", "instruction", "goal", "behavior", "question", "text")
"""Names under which the field's data sets keep their prompts, in the order they are looked for."""


@dataclass(frozen=True)
class PromptSet:
    """Prompts under one name.

    Parameters
    ----------
    name : str
    prompts : tuple of str
        Bare prompts, in order.
    """

    name: str
    prompts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.prompts)

    def head(self, limit: int | None) -> "PromptSet":
        """Return the first ``limit`` prompts, or all."""
        return self if limit is None else PromptSet(self.name, self.prompts[:limit])


def load_prompts(path: Path, column: str | None = None) -> PromptSet:
    """Read a prompt file; its ending decides the format.

    Parameters
    ----------
    path : Path
        ``.jsonl``, ``.json`` (a list of objects or texts), ``.csv`` or ``.txt`` (one a line).
    column : str, optional
        Where the prompts are; otherwise the first of :data:`COLUMNS` that occurs.

    Raises
    ------
    UserError
        When the file is missing, empty, malformed or has no such column.
    """
    return parse_prompts(_text(path), path.name, column)


def load_labels(path: Path, label: str, column: str | None = None) -> dict[str, str]:
    """Read what a prompt file says of each prompt, such as its category of harm.

    Parameters
    ----------
    path, column
        See :func:`load_prompts`.
    label : str
        The column that says it.

    Raises
    ------
    UserError
        When the file is missing or malformed, or a prompt has no such column.
    """
    return parse_labels(_text(path), path.name, label, column)


def parse_labels(text: str, name: str, label: str, column: str | None = None) -> dict[str, str]:
    """Read the labels of a prompt file called ``name``; see :func:`load_labels`."""
    found = {}
    for number, row in enumerate(_rows(text, name), start=1):
        prompt = _prompt(row, name, number, column)
        if prompt:
            if not isinstance(row, dict):
                raise UserError(f"{name} has no columns; to name categories give a .jsonl, .json or .csv file.")
            if not str(row.get(label) or "").strip():
                raise UserError(f"{name}, entry {number}, has no {label!r}; every prompt must have one.")
            found[prompt] = str(row[label]).strip()
    return found


def label_columns(text: str, name: str) -> tuple[str, ...]:
    """Return the columns of a prompt file that could say something of its prompts: all but those of prompts.

    In the order of the first entry; none for a file without columns.
    """
    first = next(iter(_rows(text, name)), None)
    return tuple(str(key) for key in first if key not in COLUMNS) if isinstance(first, dict) else ()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no file {path}; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; give a prompt file: .jsonl, .json, .csv or .txt.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8 and try again.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the file and its permissions.") from None


def parse_prompts(text: str, name: str, column: str | None = None) -> PromptSet:
    """Read the text of a prompt file called ``name``; see :func:`load_prompts`."""
    rows = _rows(text, name)
    prompts = tuple(
        prompt for prompt in (_prompt(row, name, number, column) for number, row in enumerate(rows, start=1)) if prompt
    )
    if not prompts:
        raise UserError(f"{name} holds no prompts; give a file with at least one.")
    return PromptSet(Path(name).stem, prompts)


def _rows(text: str, name: str) -> list[Any]:
    suffix = Path(name).suffix.lower()
    readers = {".jsonl": read_jsonl, ".json": read_json, ".csv": read_csv, ".txt": read_txt}
    if suffix not in readers:
        raise UserError(f"{name} has no known ending; name it .jsonl, .json, .csv or .txt.")
    if "\0" in text:
        raise UserError(f"{name} is not a text file; give a prompt file: .jsonl, .json, .csv or .txt.")
    return readers[suffix](text, name)


def read_jsonl(text: str, name: str) -> list[Any]:
    """Return the values of a file with one JSON value a line."""
    rows = []
    # Not splitlines: texts in JSON may hold U+2028 and other characters that it takes for ends of lines.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(
                f"{name}, line {number}, is not JSON ({error.msg}); each line must be one JSON object."
            ) from None
    return rows


def read_json(text: str, name: str) -> list[Any]:
    """Return the values of a JSON file that is a list."""
    try:
        rows = json.loads(text) if text.strip() else []
    except json.JSONDecodeError as error:
        raise UserError(
            f"{name} is not JSON ({error.msg}, line {error.lineno}); it must be a list of objects or of texts."
        ) from None
    if not isinstance(rows, list):
        raise UserError(f"{name} must hold a list of objects or of texts, not a single {type(rows).__name__}.")
    return rows


def read_csv(text: str, name: str) -> list[Any]:
    """Return the rows of a CSV file as mappings from its head."""
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise UserError(f"{name} is not a readable CSV file ({error}); mend it and try again.") from None


def read_txt(text: str, name: str) -> list[Any]:
    """Return the lines of a text file."""
    return text.splitlines()


def _prompt(row: Any, name: str, number: int, column: str | None) -> str:
    if isinstance(row, str):
        return row.strip()
    if not isinstance(row, dict):
        raise UserError(f"{name}, entry {number}, is neither an object nor a text; each entry must hold one prompt.")
    found = [key for key in ((column,) if column else COLUMNS) if key in row]
    if not found:
        wanted = f"column {column!r}" if column else f"column named {', '.join(COLUMNS)}"
        raise UserError(
            f"{name}, entry {number}, has no {wanted}, only {', '.join(map(str, row)) or 'nothing'}; "
            "name the right one with --column."
        )
    value = row[found[0]]
    if not isinstance(value, str):
        raise UserError(f"{name}, entry {number}: {found[0]!r} is not a text; each entry must hold one prompt.")
    return value.strip()
