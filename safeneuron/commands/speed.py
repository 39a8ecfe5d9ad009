"""``bench``: the design's table "What must be fast", and what each score costs."""

from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json, Model, opened
from safeneuron.models.catalogue import DEFAULT_MODEL


def bench(
    model: Model = DEFAULT_MODEL,
    scores: Annotated[
        bool, typer.Option("--scores", help="Measure instead what each score costs, in bare forward passes.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure the table 'What must be fast' of the design, each row as a ratio within one run."""
    with terminal.command() as progress:
        loaded = opened(model, progress)
        if scores:
            from safeneuron.score_costs import score_costs

            rows, columns = score_costs(loaded, progress), ["name", "passes", "seconds", "prompts"]
        else:
            from safeneuron.bench import run_benchmarks

            rows, columns = run_benchmarks(loaded, progress), ["name", "ratio", "target", "met", "detail"]
    terminal.show({"model": model, "rows": rows}, json, terminal.table(rows, columns))
