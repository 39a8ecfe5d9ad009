"""How a model is spoken to: a chat template and a system prompt, which together are again one template.

A tokenizer has one place for a chat template, and everything that speaks to a model reads it there:
our own passes, TRL, TransformerBridge, and whoever opens a model that a run saved. So a system prompt
is written into the template, as a head before it, and no caller needs to know of it.
"""

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safeneuron.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PLAIN = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n\\n' }}"
    "{% else %}{{ 'Assistant: ' + message['content'] + (eos_token or '') }}"
    "{% if not loop.last %}{{ '\\n\\n' }}{% endif %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
FALLBACKS = (_PLAIN, "{{ bos_token }}" + _PLAIN)
"""For a tokenizer without a chat template: one that puts no BOS token in front by itself, and one that does."""

_HEAD = "{%- set safeneuron_system = "
# If the conversation brings a system turn of its own, that one counts.
_AS_SYSTEM = (
    " %}\n{%- if messages[0]['role'] != 'system' %}"
    "{%- set messages = [{'role': 'system', 'content': safeneuron_system}] + messages %}{%- endif %}\n"
)
_AS_USER = (
    " %}\n{%- if messages[0]['role'] == 'system' %}{%- set safeneuron_system = messages[0]['content'] %}"
    "{%- set messages = messages[1:] %}{%- endif %}"
    "{%- set messages = [{'role': messages[0]['role'], 'content': "
    "safeneuron_system + '\\n\\n' + messages[0]['content']}] + messages[1:] %}\n"
)
_COMBINED = re.compile(
    re.escape(_HEAD)
    + r'(?P<system>"(?:[^"\\]|\\.)*")'
    + f"(?:{re.escape(_AS_SYSTEM)}|(?P<folded>{re.escape(_AS_USER)}))(?P<template>.*)",
    re.DOTALL,
)
_MARKS = "SAFENEURON-SYSTEM-TEXT", "SAFENEURON-USER-TEXT"


@dataclass(frozen=True)
class ChatFormat:
    """How a model is spoken to.

    Parameters
    ----------
    template : str
        A Jinja chat template; empty for the model's own.
    system : str
        The system prompt; empty for none but what the template writes by itself.
    """

    template: str = ""
    system: str = ""

    def combined(self, folded: bool = False) -> str:
        """Return both as one template; ``folded`` puts the system prompt at the head of the person's turn."""
        if not self.system:
            return self.template
        # Jinja reads a JSON string as JSON does, as long as letters beyond ASCII stand for themselves.
        return (
            _HEAD + json.dumps(self.system, ensure_ascii=False) + (_AS_USER if folded else _AS_SYSTEM) + self.template
        )

    @classmethod
    def parted(cls, template: str) -> "ChatFormat":
        """Return the parts of a template that :meth:`combined` made; any other has no system prompt."""
        found = _COMBINED.fullmatch(template)
        return cls(found["template"], json.loads(found["system"])) if found else cls(template)

    @property
    def is_fallback(self) -> bool:
        """Whether the template is safeneuron's plain one, for models that bring none."""
        return self.template in FALLBACKS


def is_folded(template: str) -> bool:
    """Return whether :meth:`ChatFormat.combined` put the system prompt into the person's turn."""
    found = _COMBINED.fullmatch(template)
    return bool(found and found["folded"])


def with_template(tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedTokenizerBase":
    """Give a tokenizer its one chat template: its own, its default one of several, or the plain fallback.

    Raises
    ------
    UserError
        When it has several templates and none of them is the default.
    """
    if isinstance(tokenizer.chat_template, dict):
        if "default" not in tokenizer.chat_template:
            raise UserError(
                f"The tokenizer has the chat templates {', '.join(sorted(tokenizer.chat_template))} and none called "
                "default; leave one of them in its folder, as chat_template.jinja."
            )
        tokenizer.chat_template = tokenizer.chat_template["default"]
    if not tokenizer.chat_template:
        tokenizer.chat_template = FALLBACKS[adds_bos(tokenizer)]
    return tokenizer


def adds_bos(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Return whether the tokenizer puts a BOS token before a text by itself."""
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]


def format_of(tokenizer: "PreTrainedTokenizerBase") -> ChatFormat:
    """Return how a tokenizer's model is spoken to."""
    return ChatFormat.parted(tokenizer.chat_template)


def speaking(tokenizer: "PreTrainedTokenizerBase", chat: ChatFormat) -> "PreTrainedTokenizerBase":
    """Return a copy of the tokenizer that speaks in another format; the original stays as it is.

    A template that refuses the system role, or drops it, gets the system prompt at the head of the
    person's turn.

    Raises
    ------
    UserError
        When the template does not render, leaves out what it is given, or doubles the BOS token.
    """
    chat = ChatFormat(chat.template or format_of(tokenizer).template, chat.system)
    # A shallow copy: the vocabulary is large and shared, the template is the copy's own.
    spoken = copy.copy(tokenizer)
    spoken.chat_template = chat.combined(folded=bool(chat.system) and not _takes_system(tokenizer, chat.template))
    system, user = _MARKS
    marked = ChatFormat(chat.template, system if chat.system else "").combined(is_folded(spoken.chat_template))
    text = rendered(tokenizer, [{"role": "user", "content": user}], marked)
    if user not in text:
        raise UserError("The chat template leaves out the person's turn; write message['content'] into it.")
    if chat.system and system not in text:
        raise UserError("The chat template leaves out the system prompt; write message['content'] of every role.")
    # The person's own words, once, since what renders with a mark may not with them.
    text = rendered(tokenizer, [{"role": "user", "content": user}], spoken.chat_template)
    bos = tokenizer.bos_token_id
    if bos is not None and tokenizer(text, add_special_tokens=False)["input_ids"][:2] == [bos, bos]:
        raise UserError(f"The chat template writes the BOS token {tokenizer.bos_token} twice; write it once.")
    return spoken


def rendered(tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]], template: str | None = None) -> str:
    """Return a conversation as the model reads it, up to the opening of the answer.

    Raises
    ------
    UserError
        When the template does not render.
    """
    try:
        return tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except Exception as error:  # noqa: BLE001 - a template is a program: it can fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(f"The chat template does not render ({reason}); mend it, or take the model's own.") from error


def _takes_system(tokenizer: "PreTrainedTokenizerBase", template: str) -> bool:
    """Return whether a template writes a system turn; Gemma's refuses one, and some leave it out silently."""
    system, user = _MARKS
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    try:
        return system in rendered(tokenizer, messages, template)
    except UserError:
        return False
