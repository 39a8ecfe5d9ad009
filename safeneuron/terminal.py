"""What the command line shows: progress on standard error, results on standard output."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from math import isfinite
from typing import Any

import typer

from safeneuron.errors import Cancelled, UserError
from safeneuron.quiet import quiet_libraries


class ProgressLine:
    """Rewrites one line of a terminal; in a log file it writes one line a step instead."""

    def __init__(self) -> None:
        self._step = ""
        self._open = False

    def __call__(self, step: str, fraction: float) -> None:
        """Show how far a step is."""
        live = sys.stderr.isatty()
        if step != self._step:
            self.close()
            self._step = step
            if not live:
                print(step, file=sys.stderr, flush=True)
        if live:
            filled = round(24 * fraction)
            print(
                f"\r{'█' * filled}{'░' * (24 - filled)} {fraction:4.0%}  {step}\033[K",
                end="",
                file=sys.stderr,
                flush=True,
            )
            self._open = True

    def close(self) -> None:
        """End the line."""
        if self._open:
            print(file=sys.stderr)
            self._open = False


@contextmanager
def command() -> Iterator[ProgressLine]:
    """Run a command's work: mistakes become one sentence, and libraries cannot print into the result.

    Everything that is printed inside the block goes to standard error; :func:`show` writes the
    result to standard output afterwards.
    """
    quiet_libraries()
    line = ProgressLine()
    try:
        with redirect_stdout(sys.stderr):
            yield line
    except (UserError, Cancelled) as error:
        line.close()
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        line.close()
        typer.echo("Stopped; what was already kept stays kept.", err=True)
        raise typer.Exit(130) from None
    finally:
        line.close()


def show(result: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Print the result as one JSON object, or as text for people."""
    print(json.dumps(_plain(result), ensure_ascii=False) if as_json else text, flush=True)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as aligned columns; rates with three digits, missing values as a dash."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[position]) for line in [list(columns), *cells]) for position in range(len(columns))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(columns), *cells]
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy's numbers as numbers, and what is no number as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_cell(item) for item in value) + "]"
    return str(value)
