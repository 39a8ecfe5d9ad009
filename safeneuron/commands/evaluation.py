"""``evaluate``: the numbers of the Robustness page, of one model or of the difference of two."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    Benign,
    Column,
    Compare,
    Harmful,
    Json,
    Judge,
    Limit,
    Model,
    TauES,
    TauSAS,
    Tokens,
    opened,
    prompts_from,
    thresholds,
)
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.fit import GENERATING, require_fit
from safeneuron.refusal.judge import judge_named

if TYPE_CHECKING:
    from safeneuron.robustness import RobustnessTable

COLUMNS = [
    "condition",
    "neurons",
    "n",
    "refusal_rate",
    "interval",
    "judge",
    "benign_n",
    "benign_refusal_rate",
    "benign_interval",
]
DIFFERENCE_COLUMNS = [
    "condition",
    "n",
    "refusal_rate",
    "other_refusal_rate",
    "difference_points",
    "difference_interval",
    "benign_n",
    "benign_refusal_rate",
    "benign_other_refusal_rate",
    "benign_difference_points",
    "benign_difference_interval",
]


def evaluate(
    model: Model = DEFAULT_MODEL,
    compare: Compare = None,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    random_draws: Annotated[int, typer.Option(min=1, help="Random sets that RANDOM is the mean of.")] = 1,
    max_new_tokens: Tokens = 64,
    json: Json = False,
) -> None:
    """Print the ORI / ES / SAS / FULL / RANDOM table of a model, or of one against another."""
    from safeneuron.scoring import score_table, test_prompts

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        own_harmful, own_benign = test_prompts()
        prompts = [
            (prompts_from(harmful, column) or own_harmful).head(limit),
            (prompts_from(benign, column) or own_benign).head(limit),
        ]
        chosen = thresholds(tau_es, tau_sas)
        judge_named(judge)
        for source in filter(None, (model, compare)):
            require_fit(model_card(source), GENERATING)
        from safeneuron.evaluation import evaluate_once
        from safeneuron.robustness import EvaluationSettings

        settings = EvaluationSettings(judge, random_draws, max_new_tokens)

        def evaluated(source: str) -> "RobustnessTable":
            loaded = opened(source, progress)
            sets = score_table(loaded, progress=progress).select(chosen)
            return evaluate_once(loaded, sets, *prompts, settings, progress)

        # Each model goes with its call, so that one at a time is in memory.
        table = evaluated(model)
        other = evaluated(compare) if compare else None
    result: dict[str, Any] = {"model": model, "rows": table.rows()}
    text = terminal.table(result["rows"], COLUMNS)
    if other:
        from safeneuron.comparison import rate_changes

        result |= {
            "compared_with": compare,
            "other_rows": other.rows(),
            "difference": rate_changes(table, other),
            "method": METHOD,
        }
        text = "\n\n".join(
            [
                f"{model}\n{text}",
                f"{compare}\n{terminal.table(result['other_rows'], COLUMNS)}",
                f"{model} less {compare}, in percentage points; {METHOD}\n"
                + terminal.table(result["difference"], DIFFERENCE_COLUMNS),
            ]
        )
    terminal.show(result, json, text)


METHOD = (
    "both models answered the same prompts, each with its own sets; the 95 % interval is Newcombe's hybrid score "
    "interval for paired proportions"
)
