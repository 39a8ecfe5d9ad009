"""``degradation``: curves of refusals against the number of neurons removed: measure, list, show, draw."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from safeneuron.degradation.curve import DegradationCurve

COLUMNS = [
    "neurons",
    "set",
    "draw",
    "harmful_refusal_rate",
    "harmful_interval",
    "benign_refusal_rate",
    "twin_refusal_rate",
    "harmful_log_odds",
    "kl",
    "perplexity",
]

degradation_app = typer.Typer(
    no_args_is_help=True, help="Remove neurons in the order of a score and watch refusals go: the degradation curve."
)
Curve = Annotated[str, typer.Argument(help="A curve's name, or the first digits of it.")]


@degradation_app.command("start")
def degradation_start(
    model: Model = DEFAULT_MODEL,
    score: Annotated[str, typer.Option("--score", help="Whose order: the highest go first.")] = "SAS",
    prompts: Annotated[
        str, typer.Option("--prompts", help="The classes that the score compares, by their name on the Neurons page.")
    ] = "built-in prompts",
    set_name: Annotated[str | None, typer.Option("--set", help=f"Remove only neurons of a set: {SET}")] = None,
    foreign: ForeignSet = False,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    most: Annotated[int, typer.Option("--most", help="Neurons off at the last step.")] = 256,
    steps: Annotated[int, typer.Option("--steps", help="Steps from 1 neuron to the most, on a log scale.")] = 9,
    draws: Annotated[int, typer.Option("--draws", help="Random controls at a step, at least 5.")] = 5,
    controls_every: Annotated[
        int | None,
        typer.Option("--controls-every", help="Every which step has controls, counted from the last; 2, quick 4."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="No answers: first-token refusal log-odds, KL and perplexity only.")
    ] = False,
    harmful: Annotated[int | None, typer.Option("--harmful", help="Harmful test prompts; 40, quick 16.")] = None,
    benign: Annotated[int | None, typer.Option("--benign", help="Benign test prompts; 20, quick 8.")] = None,
    twins: Annotated[int | None, typer.Option("--twins", help="Safe twins of them; 20, quick 8.")] = None,
    all_kinds: Annotated[
        bool, typer.Option("--controls-on-all", help="Controls answer benign prompts and twins too.")
    ] = False,
    kind: Annotated[str, typer.Option("--kind", help="What is done to a neuron: zero, mean or scale.")] = "zero",
    factor: Annotated[float, typer.Option("--factor", help="For scale: from -2 to 3.")] = 0.0,
    judge: Judge = "arditi",
    max_new_tokens: Tokens = 64,
    background: Annotated[
        bool, typer.Option("--background", help="As a background run; `runs` lists and cancels it.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure a curve, or go on with one that was stopped: the points that are on disk are not measured again."""
    from safeneuron.degradation.settings import DegradationSettings
    from safeneuron.degradation.start import cost, start_curve
    from safeneuron.models.fit import GENERATING, require_fit
    from safeneuron.models.parity_report import refuse_if_red
    from safeneuron.prompts.choices import chosen_classes
    from safeneuron.prompts.evaluated import built_in_prompts
    from safeneuron.refusal.judge import judge_named
    from safeneuron.selection import check_set

    with terminal.command() as progress:
        # Names first: a wrong one should not take seconds to be refused.
        counts = {"controls_every": controls_every, "harmful": harmful, "benign": benign, "twins": twins}
        make = DegradationSettings.quick if quick else DegradationSettings
        settings = make(
            score=score,
            prompts=prompts,
            most=most,
            steps=steps,
            draws=draws,
            control_kinds=all_kinds,
            kind=kind,
            factor=factor,
            judge=judge,
            max_new_tokens=max_new_tokens,
            **{name: count for name, count in counts.items() if count is not None},
        )
        judge_named(judge)
        chosen_classes(prompts)
        for name, there in built_in_prompts().by_kind().items():
            check_enough(f"{name} test", settings.asked(name), there)
        if set_name:
            check_set(set_name)
        card = model_card(model)
        refuse_if_red(card)
        require_fit(card, GENERATING)
        chosen = thresholds(tau_es, tau_sas, card)
        model_of = opener(card, progress)
        among = selected(set_name, card, foreign, chosen, 0, progress, model_of) if set_name else None
        typer.echo(f"To do: {cost(card, settings, among)}.", err=True)
        if background:
            run = start_curve(card, settings, among)
        else:
            from safeneuron.degradation.measuring import measure, plan

            curve = measure(model_of(), plan(model_of(), settings, among, progress), progress)
    if background:
        terminal.show({"run": run}, json, f"Run {run} has started; `python -m safeneuron runs show {run[:8]}` watches.")
    else:
        terminal.show(curve.to_json(), json, _text(curve))


@degradation_app.command("list")
def degradation_list(json: Json = False) -> None:
    """List the curves that were measured, the newest first, with the area under each."""
    from safeneuron.degradation.kept import kept_curves

    with terminal.command():
        rows = [
            {
                "curve": curve.fingerprint,
                "name": curve.name,
                "points": len(curve.points),
                "of": curve.rounds,
                "area": curve.area(),
                "random_area": curve.random_area(),
            }
            for curve in kept_curves()
        ]
    text = terminal.table(rows, list(rows[0])) if rows else "No curve yet; `degradation start` measures one."
    terminal.show({"curves": rows}, json, text)


@degradation_app.command("show")
def degradation_show(curve: Curve, json: Json = False) -> None:
    """Print a curve: its points, its random controls, and the area under it."""
    from safeneuron.degradation.kept import load_curve

    with terminal.command():
        found = load_curve(curve)
    terminal.show(found.to_json(), json, _text(found))


@degradation_app.command("picture")
def degradation_picture(
    curves: Annotated[list[str], typer.Argument(metavar="CURVE ...", help="Curves to draw over each other.")],
    out: Annotated[Path, typer.Option("--out", help="A .html file, or a .png, which takes a Chromium or Chrome.")],
    dark: Annotated[bool, typer.Option("--dark", help="Light on dark.")] = False,
    json: Json = False,
) -> None:
    """Draw one curve or several over each other into a file."""
    from safeneuron.degradation.kept import load_curve
    from safeneuron.pictures import write_picture
    from safeneuron.plots.degradation import degradation

    with terminal.command():
        write_picture(degradation([load_curve(name) for name in curves]), out, dark)
    terminal.show({"file": str(out)}, json, f"Written to {out}.")


def _text(curve: "DegradationCurve") -> str:
    rows: list[dict[str, Any]] = []
    for row in curve.rows():
        if "harmful_low" in row:
            row["harmful_interval"] = [row["harmful_low"], row["harmful_high"]]
        rows.append(row)
    columns = [column for column in COLUMNS if any(column in row for row in rows)]
    missing = "" if curve.finished else f", {len(curve.points)} of {curve.rounds} points: start it again to go on"
    parts = [f"{curve.fingerprint}  {curve.name}{missing}"]
    parts += [terminal.table(rows, columns)] if rows else []
    if curve.area() is not None:
        control = "" if curve.random_area() is None else f"; of random neurons {curve.random_area():.3f}"
        parts.append(f"Area under the refusal rate on harmful prompts: {curve.area():.3f}{control}")
    return "\n\n".join(parts)
