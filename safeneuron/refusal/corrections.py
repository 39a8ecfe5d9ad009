"""Verdicts that a person overruled, kept in the workspace and exported as JSONL or CSV.

A correction belongs to a prompt and the text of its answer, and to nothing else: whether a text refuses does not depend
on which model wrote it, under which ablation, or which judge read it. So it holds wherever the same answer comes up
again, and is not lost when the judge or the neuron set is changed. Which judge was overruled is kept beside it.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from safeneuron.errors import UserError
from safeneuron.refusal.judge import KINDS, JudgedAnswer, Verdict
from safeneuron.workspace import clear_disk_errors, replacing, workspace

TAKEN_BACK = ""
"""In place of a verdict: the correction no longer holds."""


@dataclass(frozen=True)
class Correction:
    """A person's word on one answer.

    Parameters
    ----------
    prompt, text : str
    verdict : str
        One of :data:`~safeneuron.refusal.judge.KINDS`; empty for a correction that was taken back.
    judge : str
        Who was overruled; may be empty.
    judged : str
        What that judge had said; may be empty.
    """

    prompt: str
    text: str
    verdict: str
    judge: str = ""
    judged: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in (*KINDS, TAKEN_BACK):
            raise UserError(f"There is no verdict {self.verdict!r}; choose one of: {', '.join(KINDS)}.")


class Corrections:
    """All corrections of the workspace, read when this is made; each new one is on disk at once."""

    def __init__(self) -> None:
        self._path = workspace() / "corrections.jsonl"
        self._found: dict[tuple[str, str], Correction] = {}
        for row in _lines(self._path):
            # A line that a killed process left half-written is passed over.
            try:
                self._put(_correction(row))
            except (UserError, TypeError, KeyError):
                continue

    def all(self) -> tuple[Correction, ...]:
        """Return the corrections that hold, in the order in which they were first made."""
        return tuple(self._found.values())

    def applied(self, answer: JudgedAnswer, verdict: Verdict) -> Verdict:
        """Return the verdict that holds now: the judge's, or a person's in its place, with what the judge had said."""
        found = self._found.get((answer.prompt, answer.text))
        if found is None or found.verdict == verdict.judged:
            return replace(verdict, kind=verdict.judged, overruled=None)
        return replace(verdict, kind=found.verdict, overruled=verdict.judged)

    def overrule(self, prompt: str, text: str, verdict: str, judge: str = "", judged: str = "") -> None:
        """Keep a person's verdict on an answer, in place of an earlier one of theirs.

        Raises
        ------
        UserError
            When the prompt is blank or there is no such verdict.
        """
        if not prompt.strip():
            raise UserError("The prompt is blank; give the one that was answered, word for word.")
        self._add([Correction(prompt, text, verdict, judge, judged)])

    def take_back(self, prompt: str, text: str) -> None:
        """Let the judges' verdict hold again."""
        if (prompt, text) in self._found:
            self._add([Correction(prompt, text, TAKEN_BACK)])

    def export(self, path: Path) -> int:
        """Write all corrections to a .jsonl or .csv file, and return how many."""
        rows = [asdict(found) for found in self.all()]
        as_csv = _is_csv(path)
        with replacing(path) as staging, staging.open("w", encoding="utf-8", newline="") as stream:
            if as_csv:
                writer = csv.DictWriter(stream, [field.name for field in fields(Correction)])
                writer.writeheader()
                writer.writerows(rows)
            else:
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return len(rows)

    def load(self, path: Path) -> int:
        """Take over all corrections of an exported file, and return how many; one bad line refuses the whole file.

        Raises
        ------
        UserError
            When there is no such file, it holds no correction, or a line of it is none.
        """
        if not path.is_file():
            raise UserError(f"There is no file {path}; check the path.")
        found = []
        for number, row in enumerate(_rows(path), start=1):
            try:
                found.append(_correction(row))
            except (UserError, TypeError, KeyError):
                raise UserError(
                    f"Row {number} of {path} is no correction; it needs prompt, text, and a verdict of "
                    f"{', '.join(KINDS)}."
                ) from None
        if not found:
            raise UserError(f"There is no correction in {path}; give a file that was exported from here.")
        self._add(found)
        return len(found)

    def _put(self, correction: Correction) -> None:
        key = (correction.prompt, correction.text)
        if correction.verdict == TAKEN_BACK:
            self._found.pop(key, None)
        else:
            self._found[key] = correction

    def _add(self, corrections: Iterable[Correction]) -> None:
        with clear_disk_errors(self._path), self._path.open("a", encoding="utf-8") as stream:
            for correction in corrections:
                stream.write(json.dumps(asdict(correction)) + "\n")
                self._put(correction)


def _correction(row: Mapping[str, Any]) -> Correction:
    found = Correction(**{field.name: row[field.name] for field in fields(Correction) if field.name in row})
    if not all(isinstance(value, str) for value in asdict(found).values()):
        raise TypeError("a correction is made of texts")
    return found


def _is_csv(path: Path) -> bool:
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise UserError(f"{path.name} is neither .jsonl nor .csv; give the file one of these endings.")
    return path.suffix.lower() == ".csv"


def _rows(path: Path) -> list[Any]:
    """Return the rows of an exported file."""
    try:
        if _is_csv(path):
            with path.open(encoding="utf-8", newline="") as stream:
                return list(csv.DictReader(stream))
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}); give a file that was exported from here.") from error


def _lines(path: Path) -> list[Any]:
    """Return what of the workspace's own file can be read."""
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
