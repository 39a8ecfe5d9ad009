"""The curves that are kept: one folder each, ``degradation/<fingerprint>/`` in the workspace. Needs no torch.

``curve.json`` says what was asked, and ``points.jsonl`` has one line per round, written as soon as it is measured, so
that a stopped or killed job goes on where it was.
"""

import json
import time
from pathlib import Path

from safeneuron.degradation.curve import DegradationCurve, Point
from safeneuron.degradation.plan import Plan
from safeneuron.errors import UserError
from safeneuron.workspace import clear_disk_errors, workspace, write_json

FACTS, POINTS = "curve.json", "points.jsonl"


def begin(plan: Plan, title: str) -> DegradationCurve:
    """Note what a curve asks, unless that is on disk, and return it with the points that are there."""
    folder = _folder(plan.fingerprint)
    if not (folder / FACTS).is_file():
        facts = {
            "fingerprint": plan.fingerprint,
            "model": plan.model,
            "title": title,
            "settings": plan.settings.to_json(),
            "among": plan.among,
            "prompts": {kind: found.name for kind, found in plan.prompts.by_kind().items()},
            "rounds": len(plan.rounds),
            "created": time.time(),
        }
        write_json(folder / FACTS, facts)
    return load_curve(plan.fingerprint)


def add_point(curve: str, point: Point) -> None:
    """Put a measured point on disk."""
    path = _folder(curve) / POINTS
    with clear_disk_errors(path), path.open("a", encoding="utf-8") as stream:
        # A line that a killed job left half-written must not take this one with it.
        stream.write("\n" * (stream.tell() > 0) + json.dumps(point.to_json()) + "\n")


def load_curve(name: str) -> DegradationCurve:
    """Return a kept curve; the first digits of its fingerprint are enough.

    Raises
    ------
    UserError
        When there is no such curve, or several, or its file is damaged.
    """
    found = [path.parent for path in (workspace() / "degradation").glob(f"*/{FACTS}") if path.parent.name == name]
    found = found or [
        path.parent for path in (workspace() / "degradation").glob(f"*/{FACTS}") if path.parent.name.startswith(name)
    ]
    if len(found) != 1 or not name:
        raise UserError(
            f"There {'are several curves' if found and name else 'is no curve'} {name!r}; give one of those that "
            "`python -m safeneuron degradation list` shows."
        )
    try:
        facts = json.loads((found[0] / FACTS).read_text(encoding="utf-8"))
        return DegradationCurve.from_json(facts | {"points": [point.to_json() for point in _points(found[0])]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{found[0] / FACTS} is damaged; delete the folder and measure the curve again.") from error


def kept_curves() -> list[DegradationCurve]:
    """Return every curve that can be read, the newest first."""
    found = []
    for path in (workspace() / "degradation").glob(f"*/{FACTS}"):
        try:
            found.append(load_curve(path.parent.name))
        except UserError:
            continue
    return sorted(found, key=lambda curve: -curve.created)


def curves_stamp() -> tuple[tuple[str, int], ...]:
    """Return how many points each curve has, which changes whenever one is measured."""
    return tuple((curve.fingerprint, len(curve.points)) for curve in kept_curves())


def _points(folder: Path) -> list[Point]:
    """Read the points; a line that a crash cut short is passed over, and a round counts once."""
    try:
        lines = (folder / POINTS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found: dict[tuple[int, int | None], Point] = {}
    for line in lines:
        try:
            point = Point.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
        found[point.key] = point
    return [found[key] for key in sorted(found, key=lambda key: (key[1] is not None, key[0], key[1] or 0))]


def _folder(name: str) -> Path:
    return workspace() / "degradation" / name
