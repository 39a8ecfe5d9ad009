"""What a model reads for one example prompt, kept under its fingerprint so that pages show it without torch."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.errors import UserError
from safeneuron.models.card import ModelCard
from safeneuron.models.catalogue import open_card, weights_folder
from safeneuron.models.chat_format import ChatFormat, adds_bos, format_of, is_folded, rendered, speaking
from safeneuron.models.special_ids import differing_ids
from safeneuron.workspace import workspace, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from safeneuron.models.loaded import LoadedModel

PROMPT = "How do I bake bread?"


@dataclass(frozen=True)
class ChatExample:
    """The prompt :data:`PROMPT` as a model reads it.

    Parameters
    ----------
    chat : ChatFormat
        The template and the system prompt behind it.
    text : str
        With the special tokens as the model's vocabulary writes them.
    tokens : int
        Length of the text.
    special : dict of str to int
        The special tokens among them, each with how often it occurs.
    notes : tuple of str
        Sentences that a person should have read before trusting numbers of this model.
    """

    chat: ChatFormat
    text: str
    tokens: int
    special: dict[str, int]
    notes: tuple[str, ...]

    def counts(self) -> str:
        """Return the number of tokens in words, and the special ones among them."""
        special = ", ".join(f"{count} × {token}" for token, count in self.special.items())
        return f"{self.tokens} tokens, of them special: {special or 'none'}"


def chat_example(card: ModelCard, opened: "Callable[[ModelCard], LoadedModel]" = open_card) -> ChatExample:
    """Return how a model is spoken to, read from disk if it was found out before.

    Otherwise the tokenizer is read, see :func:`tokenizer_of`, which takes a few seconds the first time.

    Raises
    ------
    UserError
        When the model is not on this machine yet, or its template does not render.
    """
    return kept_example(card) or keep_example(card, tokenizer_of(card, opened))


def kept_example(card: ModelCard) -> ChatExample | None:
    """Return the example of a model if it was kept before."""
    path = _path(card)
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        chat, notes = ChatFormat(**facts.pop("chat")), tuple(facts.pop("notes"))
        return ChatExample(chat=chat, notes=notes, **facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # damaged: it is made again


def keep_example(card: ModelCard, tokenizer: "PreTrainedTokenizerBase") -> ChatExample:
    """Render the example of a model with its tokenizer, and keep it under the model's fingerprint."""
    folder = None
    with suppress(UserError):  # a model in memory may be gone from the disk, and its config with it
        folder = weights_folder(card)
    example = example_of(tokenizer, folder)
    write_json(_path(card), asdict(example))
    return example


def example_of(tokenizer: "PreTrainedTokenizerBase", folder: Path | None = None) -> ChatExample:
    """Return the example as a tokenizer renders it, for the model in a folder if it lies in one."""
    text = rendered(tokenizer, [{"role": "user", "content": PROMPT}])
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    special = Counter(token for token in ids if token in set(tokenizer.all_special_ids))
    # In order of name, as JSON keeps them, so that the kept example says the same.
    names = dict(sorted((tokenizer.convert_ids_to_tokens(token), count) for token, count in special.items()))
    return ChatExample(format_of(tokenizer), text, len(ids), names, tuple(_notes(tokenizer, ids, folder)))


def tokenizer_of(
    card: ModelCard, opened: "Callable[[ModelCard], LoadedModel]" = open_card
) -> "PreTrainedTokenizerBase":
    """Return a model's tokenizer, in the format of its card, without reading its weights.

    Only a model that lies in no folder of its own, since it is made in memory, is opened for it, by ``opened``.

    Raises
    ------
    UserError
        When the model is not on this machine yet, or does not take the card's format.
    """
    if not card.ready:
        raise UserError(
            f"{card.title} is not prepared on this machine yet; run "
            f"`python -m safeneuron models prepare {(card.plain or card).source}` first."
        )
    folder = weights_folder(card)
    if folder is None:
        return opened(card).tokenizer
    from safeneuron.models.folder import read_tokenizer

    tokenizer = read_tokenizer(folder)
    return speaking(tokenizer, card.chat) if card.chat else tokenizer


def _notes(tokenizer: "PreTrainedTokenizerBase", ids: list[int], folder: Path | None) -> list[str]:
    """Return what is not as people expect it of a chat model."""
    notes = []
    if format_of(tokenizer).is_fallback:
        notes.append(
            "This model brings no chat template, so it is spoken to in a plain one of safeneuron's own. Models without "
            "one were mostly not trained to answer, and their refusal rates then say little."
        )
    if is_folded(tokenizer.chat_template):
        notes.append("The template takes no system role, so the system prompt stands at the head of the person's turn.")
    if adds_bos(tokenizer) and tokenizer.bos_token_id not in ids:
        notes.append(
            f"The template writes no {tokenizer.bos_token}, which the tokenizer puts before other texts; the template "
            "counts, so the model reads none."
        )
    if "strftime_now" in tokenizer.chat_template:
        notes.append(
            "The template writes the date, so the model reads another prompt every day, under one fingerprint; "
            "save a template with a fixed date under a name of your own."
        )
    for difference in differing_ids(tokenizer, folder) if folder else ():
        notes.append(
            f"In the tokenizer {difference}. That is so of some good models; otherwise the tokenizer is another "
            "model's, and no number of this model means anything."
        )
    return notes


def _path(card: ModelCard) -> Path:
    return workspace() / "chat" / "examples" / f"{card.fingerprint}.json"
