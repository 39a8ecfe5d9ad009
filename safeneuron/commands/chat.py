"""``models chat``: how a model is spoken to, and formats of one's own under a name."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json
from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.chat_example import ChatExample, chat_example, tokenizer_of
from safeneuron.models.chat_format import ChatFormat
from safeneuron.models.chat_names import check_chat, delete_chat, saved_as
from safeneuron.progress import Progress


def models_chat(
    model: Annotated[str, typer.Argument(help="Which model.")] = DEFAULT_MODEL,
    name: Annotated[
        str | None, typer.Option("--as", help="Keep the format under this name; MODEL#NAME is then spoken to in it.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system prompt; the template's own by default.")] = None,
    template: Annotated[
        Path | None, typer.Option(help="File with a Jinja chat template; the model's own by default.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the format of MODEL#NAME.")] = False,
    json: Json = False,
) -> None:
    """Print a model's chat template, its system prompt and an example as it reads it; or keep another format."""
    with terminal.command() as progress:
        card = model_card(model)
        replaced = False
        if delete:
            if not card.chat or name or system is not None or template:
                raise UserError("Give MODEL#NAME and --delete alone to forget a chat format.")
            delete_chat(card.source.removeprefix(f"{card.plain.source}#"))
            result, text = {"deleted": card.source}, f"{card.source} is forgotten; what was measured in it stays."
        else:
            if name is not None:
                card, replaced = _saved(card, name, system, template, progress)
            elif system is not None or template:
                raise UserError("Nothing was kept; add --as NAME to keep the system prompt and the template.")
            example = _example(card, progress)
            result, text = _facts(card, example) | {"replaced": replaced}, _text(card, example, replaced)
    terminal.show(result, json, text)


def _saved(
    card: ModelCard, name: str, system: str | None, template: Path | None, progress: Progress
) -> tuple[ModelCard, bool]:
    """Keep a format that differs from the card's in what was given."""
    present = card.chat or ChatFormat()
    chat = ChatFormat(
        _read(template) if template else present.template, present.system if system is None else system.strip()
    )
    progress("Trying the format on the model's tokenizer", 0.0)
    plain = card.plain or card
    check_chat(name, chat)
    return saved_as(tokenizer_of(plain), plain, name, chat)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a template; give a text file in UTF-8.") from error


def _example(card: ModelCard, progress: Progress) -> ChatExample:
    progress("Reading the tokenizer", 0.0)
    return chat_example(card)


def _facts(card: ModelCard, example: ChatExample) -> dict[str, Any]:
    found = asdict(example)
    return {"model": card.source, "fingerprint": card.fingerprint, **found.pop("chat"), **found}


def _text(card: ModelCard, example: ChatExample, replaced: bool) -> str:
    parts = [
        f"Chat template of {card.source}:\n{example.chat.template}",
        f"System prompt: {example.chat.system or 'none but what the template writes by itself'}",
        f"An example as the model reads it, {example.counts()}:\n{example.text}",
        *example.notes,
    ]
    if card.chat:
        parts.append(f"On the page and behind --model: {card.source}")
    if replaced:
        parts.append("Another wording had this name before; its results stay under its own fingerprint.")
    return "\n\n".join(parts)
