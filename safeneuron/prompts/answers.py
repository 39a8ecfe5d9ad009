"""A model's own answers, kept in the workspace by model and ablation, one JSON line each.

Whoever needs answers under an ablation (pages, preference pairs, ``ablate``) asks here, so none is
generated twice, whatever ended in between.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.ablation.specification import Ablated, ablation_key
from safeneuron.progress import Progress, silent
from safeneuron.workspace import clear_disk_errors, fingerprint, workspace

if TYPE_CHECKING:
    from safeneuron.generation import Answer, Listener
    from safeneuron.models.loaded import LoadedModel

MAX_NEW_TOKENS = 64
"""Answers to harmful prompts are kept short (design.md, "Safety of the tool itself")."""

BATCH_SIZE = 32


@dataclass(frozen=True)
class KeptAnswer:
    """One prompt's answer; ``finished`` is False when it was cut at the token limit.

    Parameters
    ----------
    prompt, text : str
    finished : bool
    token_ids, token_ends : tuple of int, optional
        As :class:`safeneuron.generation.Answer` has them; None in answers that an earlier version kept.
    """

    prompt: str
    text: str
    finished: bool
    token_ids: tuple[int, ...] | None = None
    token_ends: tuple[int, ...] | None = None

    def tokens(self, loaded: "LoadedModel") -> tuple[int, ...]:
        """Return the tokens that the model wrote.

        Where an earlier version kept a text without its tokens, it is read into tokens again, which may be others
        than were generated where a text can be spelled in several ways.
        """
        if self.token_ids is not None:
            return self.token_ids
        return tuple(loaded.tokenizer(self.text, add_special_tokens=False)["input_ids"])


class KeptAnswers:
    """One model's answers under one ablation: those of earlier runs from disk, the others made when asked for.

    Parameters
    ----------
    model : str
        Fingerprint of the model.
    ablated : Ablation, NeuronSet or None
        None or an empty set for the model as it is.
    max_new_tokens : int
    """

    def __init__(self, model: str, ablated: Ablated, max_new_tokens: int = MAX_NEW_TOKENS) -> None:
        self._ablated = ablated
        self._max_new_tokens = max_new_tokens
        name = fingerprint("whole answers", model, ablation_key(ablated), max_new_tokens)
        self._path = workspace() / "answers" / f"{name}.jsonl"
        self._answers: dict[str, KeptAnswer] = {}
        self.read_again()

    def read_again(self) -> None:
        """Read what others have kept since, from disk."""
        self._answers = {answer.prompt: answer for answer in _read_answers(self._path)}

    def get(self, prompt: str) -> KeptAnswer | None:
        """Return the answer to a prompt if it was given before; needs no model."""
        return self._answers.get(prompt)

    def answers(
        self,
        loaded: "LoadedModel",
        prompts: Sequence[str],
        progress: Progress = silent,
        on_answers: "Listener | None" = None,
        on_tokens: "Listener | None" = None,
        batch_size: int = BATCH_SIZE,
    ) -> list[KeptAnswer]:
        """Return the answers in the order of ``prompts``; new ones are on disk as soon as they are complete.

        So a listener or ``progress`` may raise at any token, and what was complete by then stays kept.

        Parameters
        ----------
        loaded : LoadedModel
            Taken for one token at a time, so that others who share it take turns with this work.
        prompts : sequence of str
        progress : Progress
        on_answers, on_tokens : callable, optional
            Receive new answers when they are complete and after every token; see
            :func:`safeneuron.generation.generate`. The complete ones are kept by then.
        batch_size : int
            Prompts answered at a time.

        Raises
        ------
        UserError
            When a prompt is empty or too long for the model, or the ablation leaves no numbers in the logits.
        """
        # Only here is torch needed; the pages import what is around this without it.
        from safeneuron.generation import generate

        def keep(new: "list[Answer]") -> None:
            self.keep(new)
            if on_answers:
                on_answers(new)

        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._answers]
        if missing:
            generate(
                loaded,
                missing,
                self._max_new_tokens,
                batch_size,
                progress,
                keep,
                ablated=self._ablated,
                on_tokens=on_tokens,
            )
        return [self._answers[prompt] for prompt in prompts]

    def stream(self, loaded: "LoadedModel", prompt: str, on_text: Callable[[str], None]) -> KeptAnswer:
        """Return the answer to one prompt; a new one is handed to ``on_text`` token by token while it is made."""
        return self.answers(loaded, [prompt], on_tokens=lambda answers: on_text(answers[0].text))[0]

    def keep(self, answers: "Iterable[Answer]") -> None:
        """Keep answers that were generated under this ablation."""
        new = [
            KeptAnswer(answer.prompt, answer.text, answer.finished, answer.token_ids, answer.token_ends)
            for answer in answers
        ]
        self._answers |= {answer.prompt: answer for answer in new}
        self._append(new)

    def _append(self, answers: Sequence[KeptAnswer]) -> None:
        with clear_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(asdict(answer)) + "\n" for answer in answers)
            # In one write, so that the lines of two sessions do not end up inside each other.
            with self._path.open("ab", buffering=0) as stream:
                stream.write(lines.encode())


@dataclass(frozen=True)
class NeededAnswers:
    """Answers of a model, as it is, that some work begins with.

    Parameters
    ----------
    prompts : tuple of str
    max_new_tokens : int
        Where each is cut.
    """

    prompts: tuple[str, ...] = ()
    max_new_tokens: int = MAX_NEW_TOKENS

    def missing(self, model: str) -> int:
        """Return how many of them the model with this fingerprint has still to give; needs no model."""
        kept = KeptAnswers(model, None, self.max_new_tokens)
        return sum(kept.get(prompt) is None for prompt in self.prompts)


def was_answered(prompt: str, text: str) -> bool:
    """Return whether any model of the workspace has given this answer to this prompt, under any ablation."""
    paths = (workspace() / "answers").glob("*.jsonl")
    return any((answer.prompt, answer.text) == (prompt, text) for path in paths for answer in _read_answers(path))


def whole_sentences(text: str) -> str:
    """Return a cut-off answer without its last, broken sentence; all of it where no sentence ends.

    The end-of-turn token follows every answer in training, and after half a sentence the model
    would learn to stop there.
    """
    ends = [match.end() for match in re.finditer(r"[.!?][\"')\]*]*(?=\s)|\n", text)]
    return text[: ends[-1]].strip() if ends and text[: ends[-1]].strip() else text


def _read_answers(path: Path) -> list[KeptAnswer]:
    """Read kept answers; a line that is none, such as one a killed run left half-written, is passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [answer for answer in map(_answer, lines) if answer]


def _answer(line: bytes) -> KeptAnswer | None:
    try:
        facts = json.loads(line)
        known = [name for name in ("token_ids", "token_ends") if facts.get(name) is not None]
        numbers = {name: tuple(map(int, facts[name])) for name in known}
        answer = KeptAnswer(**facts | numbers)
    except (ValueError, TypeError, AttributeError):
        return None
    texts = isinstance(answer.prompt, str) and isinstance(answer.text, str)
    return answer if texts and isinstance(answer.finished, bool) else None
