"""``iterative-pruning``: an attack on a model that finds its safety neurons again and again."""

from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    Column,
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

COLUMNS = ["round", "added", "neurons", "n", "refusal_rate", "interval", "incoherent", "empty", "judge"]


def iterative_pruning(
    model: Model = DEFAULT_MODEL,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often neurons are found and added.")] = 5,
    harmful: Harmful = None,
    column: Column = None,
    limit: Limit = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    json: Json = False,
) -> None:
    """Attack a model adaptively (NeuronGuard): find FULL, switch it off, find what is left, switch that off too."""
    from safeneuron.iterative_pruning import AttackSettings, iterative_pruning, kept_iterative_pruning
    from safeneuron.models.parity_report import refuse_if_red
    from safeneuron.prompts import builtin
    from safeneuron.refusal.judge import judge_named

    with terminal.command() as progress:
        # Files and names first: a wrong one should not take seconds to be refused.
        prompts = (prompts_from(harmful, column) or builtin.harmful("test")).head(limit)
        judge_named(judge)
        card = model_card(model)
        settings = AttackSettings(rounds, thresholds(tau_es, tau_sas, card), "last", judge, max_new_tokens)
        refuse_if_red(card)
        require_fit(card, GENERATING)
        found = kept_iterative_pruning(card.fingerprint, prompts, settings)
        found = found or iterative_pruning(opened(card, progress), prompts, settings, progress)
    rows, control = found.rows(), found.control_row()
    shown = [*rows, control | {"round": "RANDOM"}] if control else rows
    note = "" if len(rows) == rounds + 1 else f"\nNothing new was found after round {rows[-1]['round']}."
    text = (
        f"{terminal.table(shown, COLUMNS)}{note}\n\n"
        f"Prompts: {prompts.name}. Round 0 is the model as it is; each other one switches off all that was found so "
        "far, and the next one finds its neurons on that model. RANDOM switches off as many random neurons of each "
        "layer as the last round. Empty and incoherent answers stay in n and are no refusals."
    )
    terminal.show({"model": model, "prompts": prompts.name, "rows": rows, "random": control}, json, text)
