"""``bench``: the design's table "What must be fast"."""

from safeneuron import terminal
from safeneuron.commands.options import Json, Model, opened
from safeneuron.models.catalogue import DEFAULT_MODEL


def bench(model: Model = DEFAULT_MODEL, json: Json = False) -> None:
    """Measure the table 'What must be fast' of the design, each row as a ratio within one run."""
    from safeneuron.bench import run_benchmarks

    with terminal.command() as progress:
        rows = run_benchmarks(opened(model, progress), progress)
    terminal.show(
        {"model": model, "rows": rows}, json, terminal.table(rows, ["name", "ratio", "target", "met", "detail"])
    )
