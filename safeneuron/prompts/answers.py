"""A model's own answers, kept in the workspace by model and neuron set, one JSON line each."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress
from safeneuron.workspace import clear_disk_errors, fingerprint, workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

ANSWER_TOKENS = 64
BATCH_SIZE = 32


class KeptAnswers:
    """One model's answers under one ablation: those of earlier runs from disk, the others made now.

    Parameters
    ----------
    loaded : LoadedModel
    ablated : NeuronSet or None
        None or an empty set for the model as it is.
    """

    def __init__(self, loaded: "LoadedModel", ablated: NeuronSet | None) -> None:
        self._loaded = loaded
        self._ablated = ablated
        neurons = sorted(ablated.neurons) if ablated else []
        name = fingerprint("answers", loaded.fingerprint, neurons, ANSWER_TOKENS)
        self._path = workspace() / "answers" / f"{name}.jsonl"
        self._texts = _read_answers(self._path)

    def answers(self, prompts: Sequence[str], progress: Progress) -> list[str]:
        """Return the answers in the order of ``prompts``; new ones are on disk as soon as their batch is done."""
        # Only here is torch needed; the pages import what is around this without it.
        from safeneuron.ablation import ablate
        from safeneuron.generation import Answer, generate

        def keep(answers: list[Answer]) -> None:
            texts = {
                answer.prompt: answer.text if answer.finished else whole_sentences(answer.text) for answer in answers
            }
            self._texts |= texts
            self._append(texts)

        missing = [prompt for prompt in prompts if prompt not in self._texts]
        if missing:
            with ablate(self._loaded, self._ablated):
                generate(self._loaded, missing, ANSWER_TOKENS, BATCH_SIZE, progress, on_answers=keep)
        return [self._texts[prompt] for prompt in prompts]

    def _append(self, texts: dict[str, str]) -> None:
        with clear_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                for prompt, answer in texts.items():
                    stream.write(json.dumps({"prompt": prompt, "answer": answer}) + "\n")


def whole_sentences(text: str) -> str:
    """Return a cut-off answer without its last, broken sentence; all of it where no sentence ends.

    The end-of-turn token follows every answer in training, and after half a sentence the model
    would learn to stop there.
    """
    ends = [match.end() for match in re.finditer(r"[.!?][\"')\]*]*(?=\s)|\n", text)]
    return text[: ends[-1]].strip() if ends and text[: ends[-1]].strip() else text


def _read_answers(path: Path) -> dict[str, str]:
    """Read kept answers; a line that a killed run left half-written is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[row["prompt"]] = row["answer"]
    return found
