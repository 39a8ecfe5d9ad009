"""``runs measure``: what runs have made of a model, on prompts of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import Benign, Column, Json, Judge, Limit, prompts_from
from safeneuron.refusal.judge import DEFAULT_JUDGE, judge_named
from safeneuron.refusal.rates import APART

COLUMNS = ["model", "measured", "neurons", "n", "value", "interval", *APART, "judge"]


def runs_measure(
    runs: Annotated[list[str], typer.Argument(help="Ids of finished runs of one model, or their first digits.")],
    harmful: Annotated[
        list[Path] | None,
        typer.Option("--harmful", help="Prompt file; may be given several times. The built-in test part by default."),
    ] = None,
    benign: Benign = None,
    column: Column = None,
    limit: Limit = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of iterative pruning.")] = 5,
    judge: Judge = DEFAULT_JUDGE,
    json: Json = False,
) -> None:
    """Measure the models of runs beside the one that they were trained from: refusals under attack, and costs."""
    with terminal.command() as progress:
        judge_named(judge)
        asked = [prompts_from(path, column, limit).prompts for path in harmful or ()]
        others = prompts_from(benign, column, limit)

        from safeneuron.compute import set_process_threads
        from safeneuron.iterative_pruning import AttackSettings
        from safeneuron.prompts.evaluated import EvaluationPrompts, built_in_prompts
        from safeneuron.prompts.promptset import PromptSet
        from safeneuron.training.measure import measure_runs

        set_process_threads()
        own = built_in_prompts()
        prompts = EvaluationPrompts(
            PromptSet("harmful", tuple(dict.fromkeys(sum(asked, ())))) if asked else own.harmful,
            others or own.benign,
            own.twins,
        )
        found = measure_runs(runs, prompts, AttackSettings(rounds=rounds, judge=judge), progress)
        rows = [row for one in found for row in one.rows()]
    terminal.show({"rows": rows}, json, terminal.table(rows, COLUMNS))
