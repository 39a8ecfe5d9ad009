"""``ask``: one prompt or a conversation, with the model as it is beside an ablation of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.answer_difference import first_difference
from safeneuron.commands.options import (
    SET,
    Factor,
    ForeignSet,
    Json,
    Kind,
    Model,
    Positions,
    Seed,
    TauES,
    TauSAS,
    Tokens,
    opened_ablated,
)
from safeneuron.conversation import Conversation
from safeneuron.models.catalogue import DEFAULT_MODEL
from safeneuron.prompts.typed import prompt_from_text, seen

if TYPE_CHECKING:
    from safeneuron.generation import Answer


def ask(
    turns: Annotated[list[str], typer.Argument(metavar="TURN...", help="What you say, one turn after the other.")],
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[str, typer.Option("--set", help=f"Set to ablate: {SET}")] = "FULL",
    kind: Kind = "zero",
    factor: Factor = None,
    positions: Positions = "all",
    foreign: ForeignSet = False,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    max_new_tokens: Tokens = 64,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Talk with a model as it is and with a neuron set ablated, and see where the two answers part."""
    with terminal.command() as progress:
        asked = [prompt_from_text(turn) for turn in turns]
        loaded, ablation = opened_ablated(
            model, set_name, foreign, tau_es, tau_sas, seed, kind, factor, positions, progress
        )
        original = ablated = Conversation()
        for turn in asked:
            original = original.asked(loaded, turn, None, max_new_tokens=max_new_tokens, progress=progress)
            ablated = ablated.asked(loaded, turn, ablation, max_new_tokens=max_new_tokens, progress=progress)
    rows = [_row(one, other) for one, other in zip(original.answers, ablated.answers, strict=True)]
    result = {"model": model, "set": set_name, "count": len(ablation), "ablation": str(ablation), "turns": rows}
    terminal.show(result, json, "\n\n".join(_text(row, str(ablation)) for row in rows))


def _row(original: "Answer", ablated: "Answer") -> dict[str, Any]:
    parted = first_difference(original, ablated)
    return {
        "prompt": original.prompt,
        "original": original.text,
        "ablated": ablated.text,
        "difference": asdict(parted) if parted else None,
    }


def _text(row: dict[str, Any], ablation: str) -> str:
    parted = row["difference"]
    where = f"The answers part after {parted['token']} tokens." if parted else "The answers are the same."
    return (
        f"You: {row['prompt']}\n"
        f"As it is: {seen(row['original']) or '(empty answer)'}\n"
        f"With {ablation}: {seen(row['ablated']) or '(empty answer)'}\n"
        f"{where}"
    )
