"""``prune``: the smallest part of a neuron set that keeps most of its effect."""

from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import (
    SET,
    ForeignSet,
    Json,
    Judge,
    Model,
    TauES,
    TauSAS,
    Tokens,
    check_enough,
    opener,
    selected,
    thresholds,
)
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card

SHOWN = 20
"""Neurons of the subset that people are shown; ``--json`` has all."""


def prune(
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[str, typer.Option("--set", help=f"Set to prune: {SET}")] = "FULL",
    foreign: ForeignSet = False,
    keep: Annotated[float, typer.Option("--keep", help="Share of the whole set's effect to keep.")] = 0.9,
    prompts: Annotated[int, typer.Option("--prompts", help="Harmful validation prompts to measure on.")] = 16,
    held_out: Annotated[int, typer.Option("--held-out", help="Harmful test prompts to check with.")] = 40,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    background: Annotated[
        bool, typer.Option("--background", help="As a background run; `runs` lists and cancels it.")
    ] = False,
    json: Json = False,
) -> None:
    """Find which neurons of a set matter, keep them as a set of their own, and check it on other prompts."""
    from safeneuron.models.fit import GENERATING, require_fit
    from safeneuron.models.parity_report import refuse_if_red
    from safeneuron.prompts import builtin
    from safeneuron.pruning.settings import PruningSettings
    from safeneuron.pruning.start import check_prunable, cost, start_pruning
    from safeneuron.refusal.judge import judge_named
    from safeneuron.selection import check_set

    with terminal.command() as progress:
        # Names first: a wrong one should not take seconds to be refused.
        settings = PruningSettings(keep, prompts, held_out, judge, max_new_tokens)
        check_enough("harmful validation", prompts, builtin.harmful("validation"))
        check_enough("harmful test", held_out, builtin.harmful("test"))
        judge_named(judge)
        check_set(set_name)
        card = model_card(model)
        refuse_if_red(card)
        require_fit(card, GENERATING)
        model_of = opener(card, progress)
        neurons = selected(set_name, card, foreign, thresholds(tau_es, tau_sas, card), 0, progress, model_of)
        check_prunable(neurons)
        typer.echo(f"To do: {cost(card, neurons, settings)}.", err=True)
        if background:
            run = start_pruning(card, neurons, settings)
        else:
            from safeneuron.pruning.pruning import prune_set

            result = prune_set(model_of(), neurons, settings, progress)
    if background:
        terminal.show({"run": run}, json, f"Run {run} has started; `python -m safeneuron runs show {run[:8]}` watches.")
        return
    rows = [row for row in result.rows() if row["in subset"]]
    left_out = f"\n({len(rows) - SHOWN} more with --json)" if len(rows) > SHOWN else ""
    text = (
        f"{len(rows)} of the {len(neurons):,} neurons of {neurons.name} keep {result.found.kept:.0%} of its effect on "
        f"the refusal log-odds ({result.found.effect:+.2f}, of the subset {result.found.subset_effect:+.2f}); kept as "
        f"the set {result.name}.\n\n"
        f"{terminal.table(rows[:SHOWN], ['neuron', 'share'])}{left_out}\n\n"
        f"On held-out prompts:\n{terminal.table(result.rates(), list(result.rates()[0]))}"
    )
    terminal.show(result.to_json() | {"rows": result.rows(), "rates": result.rates()}, json, text)
