"""Perplexities of answers under the unablated model, kept in the workspace beside the answers; none is read twice."""

import json
from collections.abc import Iterator, Sequence
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.prompts.answers import KeptAnswer, KeptAnswers
from safeneuron.prompts.promptset import PromptSet
from safeneuron.refusal.coherence import perplexity_bound
from safeneuron.workspace import clear_disk_errors, fingerprint, workspace

if TYPE_CHECKING:
    from safeneuron.generation import Answer
    from safeneuron.models.loaded import LoadedModel

CALIBRATION_PROMPTS = 24


class KeptPerplexities:
    """One model's perplexities of texts, whatever ablation the texts were written under.

    Parameters
    ----------
    model : str
        Fingerprint of the model that reads.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._path = workspace() / "perplexities" / f"{fingerprint('perplexity of answers', model)}.jsonl"
        self._values = dict(_read(self._path))
        self._bound: float | None = None

    def get(self, prompt: str, text: str) -> float | None:
        """Return the perplexity of an answer if it was read before; needs no model."""
        return self._values.get((prompt, text))

    def read(
        self, loaded: "LoadedModel", answers: "Sequence[KeptAnswer | Answer]", progress: Progress = silent
    ) -> None:
        """Read the answers that were not read before, without any ablation; each is kept at once.

        An empty answer has no perplexity.
        """
        from safeneuron.perplexity import token_losses

        new = {(found.prompt, found.text): found for found in answers if found.text}
        new = [found for key, found in new.items() if key not in self._values]
        ids = [_token_ids(loaded, found) for found in new]
        for row, losses in token_losses(loaded, [found.prompt for found in new], ids, progress=progress):
            # Capped, since JSON has no infinity.
            value = exp(min(float(losses.mean()), 50.0))
            self._values[new[row].prompt, new[row].text] = value
            self._append(new[row], value)

    def bound(self) -> float | None:
        """Return the bound of the model's own benign answers if they were all read before; needs no model."""
        if self._bound is None:
            self._bound = self._bound_kept()
        return self._bound

    def _bound_kept(self) -> float | None:
        kept = KeptAnswers(self._model, None)
        answers = [kept.get(prompt) for prompt in calibration_prompts().prompts]
        values = [self.get(found.prompt, found.text) for found in answers if found and found.text]
        if None in answers or None in values or not values:
            return None
        return perplexity_bound(values)

    def calibrate(self, loaded: "LoadedModel", progress: Progress = silent) -> float | None:
        """Return the bound, measured first where that was not done; None for a model that answers nothing at all."""
        if self.bound() is None:
            answers = KeptAnswers(self._model, None).answers(loaded, calibration_prompts().prompts, progress)
            self.read(loaded, answers, progress)
        return self.bound()

    def _append(self, answer: "KeptAnswer | Answer", value: float) -> None:
        row = {"prompt": answer.prompt, "text": answer.text, "perplexity": value}
        with clear_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")


def calibration_prompts() -> PromptSet:
    """Return the benign prompts of the ``validation`` part, on which no rate is counted."""
    return builtin.benign("validation").head(CALIBRATION_PROMPTS)


def _token_ids(loaded: "LoadedModel", answer: "KeptAnswer | Answer") -> Sequence[int]:
    """Return the tokens that the model wrote, where they were kept, or else those of the text."""
    kept = getattr(answer, "token_ids", None)
    return kept or loaded.tokenizer(answer.text, add_special_tokens=False)["input_ids"]


def _read(path: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield what was kept; a line that is none, such as one a killed run left half-written, is passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            row = json.loads(line)
            yield (str(row["prompt"]), str(row["text"])), float(row["perplexity"])
        except (ValueError, TypeError, KeyError):
            continue
