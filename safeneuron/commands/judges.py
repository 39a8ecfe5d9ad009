"""``judges``: the judges there are with their measured errors, and a person's corrections of their verdicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json
from safeneuron.errors import UserError
from safeneuron.refusal.judge import DEFAULT_JUDGE, Judge, judge_named, judges, verdict_of

if TYPE_CHECKING:
    from safeneuron.refusal.labelled import JudgeErrors
    from safeneuron.refusal.rates import Rate

HELP = """List the judges of answers with their errors on labelled answers, and overrule their verdicts.

A false refusal is an answer that a judge calls a refusal; a missed one a refusal that it does not. A judge with :MODEL
is measured when it is named: judges --judge guard:FOLDER.
"""

judges_app = typer.Typer(invoke_without_command=True, help=HELP)
Named = Annotated[
    str | None, typer.Option("--judge", help="Measure this judge only, and print every answer it is wrong about.")
]
File = Annotated[Path, typer.Argument(help="A file that ends in .jsonl or .csv.")]
ERRORS = ("false_refusals", "missed_refusals", "unseen")


@judges_app.callback()
def judges_list(context: typer.Context, judge: Named = None, json: Json = False) -> None:
    """List the judges, and what each gets wrong on the labelled answers."""
    if context.invoked_subcommand:
        return
    with terminal.command() as progress:
        chosen = [judge_named(judge)] if judge else list(judges().values())
        from safeneuron.refusal.labelled import judge_errors, labelled_answers

        # Of all judges, those that need no model: others are not measured until a person names one.
        found = {one.name: judge_errors(one, progress) for one in chosen if judge or not one.needs}
    result: dict[str, Any] = {"answers": len(labelled_answers())}
    result["judges"] = [_row(one, found.get(one.name)) for one in chosen]
    lines = [
        {"judge": f"{one.name}{one.argument if one.name in judges() else ''}", "what it is": one.title}
        | {name: _rate_text(getattr(found[one.name], name)) for name in ERRORS if one.name in found}
        for one in chosen
    ]
    text = terminal.table(lines, ["judge", "what it is", *ERRORS])
    notes = [
        f"{len(labelled_answers())} answers, labelled by hand and made to be hard: errors of n, and their share with a "
        "95 % Wilson interval. Unseen: empty or incoherent answers that were taken for answers or refusals."
    ]
    if judge and chosen[0].judges_harm:
        notes.append(
            "It looks for harm, so that an answer without harm is refused to it: the false refusals here are no errors."
        )
    if judge:
        notes += [_wrong_text(row) for row in result["judges"][0]["wrong"]]
    terminal.show(result, json, "\n\n".join([text, *notes]))


@judges_app.command("correct")
def judges_correct(
    verdict: Annotated[str, typer.Argument(help="refused, answered, empty or incoherent; or none, to take it back.")],
    prompt: Annotated[str, typer.Option(help="The prompt, word for word.")],
    answer: Annotated[str, typer.Option(help="The answer, word for word.")],
    judge: Annotated[str, typer.Option("--judge", help="The judge that is overruled.")] = DEFAULT_JUDGE,
    json: Json = False,
) -> None:
    """Overrule the verdict on an answer, wherever the same answer to the same prompt comes up."""
    from safeneuron.prompts.answers import was_answered
    from safeneuron.refusal.corrections import Corrections

    with terminal.command():
        named, corrections = judge_named(judge), Corrections()
        if verdict == "none":
            corrections.take_back(prompt, answer)
        else:
            said = "" if named.needs else verdict_of(named, prompt, answer).kind
            corrections.overrule(prompt, answer, verdict, named.name, said)
        count, known = len(corrections.all()), was_answered(prompt, answer)
    note = "" if known else " No model has given this answer to this prompt here so far; check the words."
    terminal.show(
        {"corrections": count, "known": known}, json, f"Kept; {count} answers have a verdict of yours now.{note}"
    )


@judges_app.command("export")
def judges_export(path: File, json: Json = False) -> None:
    """Write all corrections to a file."""
    from safeneuron.refusal.corrections import Corrections

    with terminal.command():
        if path.exists():
            raise UserError(f"{path} exists already; name a file that does not.")
        count = Corrections().export(path)
    terminal.show({"corrections": count, "file": str(path)}, json, f"{count} corrections are in {path}.")


@judges_app.command("import")
def judges_import(path: File, json: Json = False) -> None:
    """Take over the corrections of a file that was exported, of this workspace or another."""
    from safeneuron.refusal.corrections import Corrections

    with terminal.command():
        count = Corrections().load(path)
    terminal.show({"corrections": count}, json, f"{count} corrections were taken over.")


def _row(judge: Judge, errors: "JudgeErrors | None") -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": judge.name,
        "title": judge.title,
        "argument": judge.argument,
        "judges_harm": judge.judges_harm,
    }
    if errors is None:
        return row | {"measured": False}
    row |= {"measured": True}
    for name in ERRORS:
        found = getattr(errors, name)
        row[name] = {"errors": _count(found), "n": found.n, "share": found.value, "interval": [found.low, found.high]}
    wrong = [
        {
            "prompt": one.prompt,
            "answer": one.text,
            "label": one.label,
            "trait": one.trait,
            "verdict": verdict.kind,
            "because": verdict.because,
        }
        for one, verdict in errors.wrong
    ]
    return row | {"wrong": wrong}


def _count(found: "Rate") -> int:
    return round(found.value * found.n)


def _rate_text(found: "Rate") -> str:
    return f"{_count(found)} of {found.n}, {found.value:.0%} [{found.low:.0%}, {found.high:.0%}]"


def _wrong_text(row: dict[str, Any]) -> str:
    because = f" ({row['because']})" if row["because"] else ""
    return f"{row['label']}, judged {row['verdict']}{because}: {row['trait']}\n    {row['prompt']}\n    {row['answer']}"
