"""Chat formats with a name, kept in the workspace: ``MODEL#NAME`` is the model spoken to in that way."""

import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.chat_format import ChatFormat, format_of, speaking
from safeneuron.workspace import clear_disk_errors, fingerprint, workspace, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from safeneuron.models.loaded import LoadedModel

MARK = "#"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def split(source: str) -> tuple[str, str]:
    """Return a source without and with only the name of its chat format, which is empty where it has none.

    A folder whose own name has a ``#`` in it stays what it is.
    """
    base, mark, name = source.rpartition(MARK)
    if not (mark and base and NAME.fullmatch(name)) or ("/" in source and is_there(source)):
        return source, ""
    return base, name


def is_there(path: str) -> bool:
    """Return whether something lies at a path; no error where a text cannot be one."""
    try:
        return Path(path).expanduser().exists()
    except (RuntimeError, OSError, ValueError):  # ~somebody who does not exist, a name too long for a file, a NUL in it
        return False


def named_card(plain: ModelCard, name: str) -> ModelCard:
    """Return the card of a model spoken to in a named format; ``plain`` is the card of the same weights.

    Raises
    ------
    UserError
        When there is no format of that name, or ``plain`` is already spoken to in a named one.
    """
    if plain.chat:
        raise UserError(f"{plain.source}{MARK}{name} names two chat formats; give one.")
    found = in_format(plain, name, read_chat(name))
    origin = f"{plain.origin} Spoken to in the chat format {name} of this workspace."
    return replace(found, source=f"{plain.source}{MARK}{name}", origin=origin)


def in_format(card: ModelCard, name: str, chat: ChatFormat) -> ModelCard:
    """Return the card of the same weights spoken to in a format that need not be kept; ``name`` is for its title.

    Its results are those of a kept format with the same wording. No source opens it: see :func:`spoken_as`.
    """
    plain = card.plain or card
    return replace(
        plain,
        title=f"{plain.title} as {name}",
        fingerprint=fingerprint("chat", plain.fingerprint, asdict(chat)),
        parent=plain.source,
        plain=plain,
        chat=chat,
    )


def in_named_chats(plain: ModelCard) -> list[ModelCard]:
    """Return the cards of a model in every kept format; a damaged one is passed over until it is asked for by name."""
    found = []
    for name in chat_names():
        with suppress(UserError):
            found.append(named_card(plain, name))
    return found


def spoken_as(loaded: "LoadedModel", card: ModelCard) -> "LoadedModel":
    """Return the same weights spoken to as a card says; model and lock are shared, so nothing is held twice.

    Raises
    ------
    UserError
        When the format does not render, or writes a token that the model has no embedding for.
    """
    # Imported here: cards are drawn before torch is needed.
    from safeneuron.models.open_check import require_known_tokens

    spoken = replace(loaded, card=card, tokenizer=speaking(loaded.tokenizer, card.chat))
    require_known_tokens(spoken, f"The chat format of {card.source}")
    return spoken


def chat_names() -> list[str]:
    """Return the names of the kept formats, in order."""
    return sorted(path.stem for path in _folder().glob("*.json") if NAME.fullmatch(path.stem))


def read_chat(name: str) -> ChatFormat:
    """Return the format of a name.

    Raises
    ------
    UserError
        When there is none, or its file is damaged.
    """
    path = _path(name)
    if not path.is_file():
        known = ", ".join(chat_names())
        raise UserError(
            f"There is no chat format {name!r}; "
            + (f"give one of {known}, or save it with " if known else "save it with ")
            + f"`python -m safeneuron models chat MODEL --as {name} --system TEXT`."
        )
    try:
        return ChatFormat(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is no chat format; delete it and save the format again.") from error


def saved_as(
    tokenizer: "PreTrainedTokenizerBase", plain: ModelCard, name: str, chat: ChatFormat
) -> tuple[ModelCard, bool]:
    """Try a format on a model's tokenizer and keep it.

    Returns
    -------
    card, replaced : ModelCard, bool
        The model's card in the format, and what :func:`save_chat` returns.

    Raises
    ------
    UserError
        When the name is no name, the format changes nothing, or it does not render; nothing is kept then.
    """
    if chat.template == format_of(tokenizer).template:
        # Left open, so that the same name fits other models too.
        chat = ChatFormat(system=chat.system)
    speaking(tokenizer, chat)
    replaced = save_chat(name, chat)
    return named_card(plain, name), replaced


def save_chat(name: str, chat: ChatFormat) -> bool:
    """Keep a format under a name and return whether there was another one under it before.

    Results of the earlier one stay where they are, under the earlier fingerprint.

    Raises
    ------
    UserError
        When the name is no name, or the format changes nothing.
    """
    check_chat(name, chat)
    path = _path(name)
    before = path.read_bytes() if path.is_file() else None
    write_json(path, asdict(chat))
    return before not in (None, path.read_bytes())


def delete_chat(name: str) -> None:
    """Forget a format; what was measured in it stays on disk.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    path = _path(name)
    if not path.is_file():
        read_chat(name)
    with clear_disk_errors(path):
        path.unlink()


def check_chat(name: str, chat: ChatFormat) -> None:
    """Refuse what could be kept for no model, before a tokenizer is read for it.

    Raises
    ------
    UserError
        When the name is no name, or the format changes nothing.
    """
    _path(name)
    if chat == ChatFormat():
        raise UserError("A chat format needs a system prompt or a template of its own; write one of them.")


def _folder() -> Path:
    return workspace() / "chat"


def _path(name: str) -> Path:
    if not NAME.fullmatch(name):
        what = f"{name!r} cannot name a chat format" if name else "A chat format needs a name"
        raise UserError(f"{what}; use at most 40 letters, digits, - and _, and begin with a letter or digit.")
    return _folder() / f"{name}.json"
