"""Preference pairs: what the model should rather say, and what it should rather not.

Built from the project's own prompts and the model's own answers (paper.md 2.5; the paper mixes
safety pairs with general ones against over-refusal):

- harmful prompt: a refusal is preferred to what the model says with the neuron set ablated;
- safe twin, benign prompt: the model's own answer is preferred to a refusal.

Answers are kept in the workspace by model and neuron set, one JSON line each, so a run that was
cancelled, or one that wants more pairs, never has the same answer generated twice.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.progress import Progress, silent
from safeneuron.prompts import builtin
from safeneuron.refusal.judge import DEFAULT_JUDGE, judge_named
from safeneuron.workspace import clear_disk_errors, fingerprint, replacing, workspace

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

Kind = Literal["harmful", "twin", "benign", "own"]
STEP = "Building preference pairs"
ANSWER_TOKENS = 64
BATCH_SIZE = 32


@dataclass(frozen=True)
class PreferencePair:
    """A prompt with a better and a worse answer.

    Parameters
    ----------
    prompt, chosen, rejected : str
        Bare texts; the chat template is applied when training starts.
    kind : {"harmful", "twin", "benign", "own"}
        ``own`` are those of a person's file that does not say.
    """

    prompt: str
    chosen: str
    rejected: str
    kind: Kind = "own"


def build_pairs(
    loaded: "LoadedModel",
    neurons: NeuronSet,
    part: builtin.Part = "train",
    harmful_count: int = 96,
    twin_count: int = 48,
    benign_count: int = 48,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[PreferencePair, ...]:
    """Return up to so many pairs of each kind, shuffled.

    Parameters
    ----------
    loaded : LoadedModel
    neurons : NeuronSet
        Ablated for the rejected answers to harmful prompts; meant to be the FULL set.
    part : {"train", "validation", "test"}
        Of the built-in prompts.
    harmful_count, twin_count, benign_count : int
        Fewer come back where the prompts run out: a harmful prompt that is refused even under the
        ablation, and a harmless one that is refused without, make no pair.
    seed : int
        Chooses the prompts, the wordings of refusal and the order.

    Raises
    ------
    UserError
        When harmful pairs were asked for and the model refuses everything under the ablation.
    """
    wanted: list[tuple[Kind, tuple[str, ...], int, NeuronSet | None]] = [
        ("harmful", builtin.harmful(part).prompts, harmful_count, neurons),
        ("twin", builtin.twins(part).prompts, twin_count, None),
        ("benign", builtin.benign(part).prompts, benign_count, None),
    ]
    total = harmful_count + twin_count + benign_count
    pairs: list[PreferencePair] = []
    for kind, prompts, count, ablated in wanted:
        # One shuffler a kind, so that a run with fewer pairs uses the first ones of a run with more.
        shuffler = random.Random(f"{seed} {kind}")
        order = shuffler.sample(prompts, len(prompts))

        def report(step: str, fraction: float) -> None:
            progress(STEP, min(1.0, (len(pairs) + fraction * count) / max(total, 1)))

        answered = _answered(loaded, order, count, ablated, report)
        if kind == "harmful" and count and not answered:
            raise UserError(
                f"With {neurons.name} switched off the model still refuses every harmful prompt, "
                "so there is nothing to train against; choose a larger set, such as FULL."
            )
        for prompt, answer in answered:
            refusal = shuffler.choice(builtin.refusals())
            chosen, rejected = (refusal, answer) if kind == "harmful" else (answer, refusal)
            pairs.append(PreferencePair(prompt, chosen, rejected, kind))
    random.Random(seed).shuffle(pairs)
    return tuple(pairs)


def limited_counts(counts: Sequence[int], limit: int) -> tuple[int, ...]:
    """Return counts in the same proportions whose sum is at most ``limit``; what is over goes to the first."""
    total = sum(counts)
    if total <= limit:
        return tuple(counts)
    scaled = [count * limit // total for count in counts]
    scaled[0] += limit - sum(scaled)
    return tuple(scaled)


def save_pairs(path: Path, pairs: Sequence[PreferencePair]) -> None:
    """Write one JSON object a line."""
    with replacing(path) as staging:
        staging.write_text(
            "".join(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8"
        )


def load_pairs(path: Path) -> tuple[PreferencePair, ...]:
    """Read a JSONL file with ``prompt``, ``chosen`` and ``rejected``, texts all three.

    Raises
    ------
    UserError
        When the file is missing, empty or malformed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no file {path}; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; give a .jsonl file with preference pairs.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8 and try again.") from None
    return parse_pairs(text, path.name)


def parse_pairs(text: str, name: str) -> tuple[PreferencePair, ...]:
    """Read the text of a pairs file called ``name``; see :func:`load_pairs`."""
    pairs = [_pair(line, name, number) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not pairs:
        raise UserError(
            f"{name} holds no preference pairs; give a file with at least one line of prompt, chosen and rejected."
        )
    return tuple(pairs)


def _pair(line: str, name: str, number: int) -> PreferencePair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{name}, line {number}, is not JSON ({error.msg}); each line must be one JSON object."
        ) from None
    fields = ("prompt", "chosen", "rejected")
    missing = [
        field
        for field in fields
        if not (isinstance(row, dict) and isinstance(row.get(field), str) and row[field].strip())
    ]
    if missing:
        raise UserError(
            f"{name}, line {number}, has no text under {' and '.join(missing)}; "
            "each line must have prompt, chosen and rejected."
        )
    kind = row.get("kind")
    return PreferencePair(
        *(row[field].strip() for field in fields), kind=kind if kind in ("harmful", "twin", "benign") else "own"
    )


def _answered(
    loaded: "LoadedModel", prompts: Sequence[str], count: int, ablated: NeuronSet | None, progress: Progress
) -> list[tuple[str, str]]:
    """Return (prompt, answer) of the first ``count`` prompts that the model does not refuse.

    Only as many answers are generated as turn out to be needed.
    """
    judge = judge_named(DEFAULT_JUDGE)
    kept = _KeptAnswers(loaded, ablated)
    found: list[tuple[str, str]] = []
    position = 0
    while len(found) < count and position < len(prompts):
        batch = prompts[position : position + count - len(found)]
        position += len(batch)
        answers = kept.answers(
            batch, lambda step, fraction: progress(step, (len(found) + fraction * len(batch)) / count)
        )
        found += [
            (prompt, answer)
            for prompt, answer in zip(batch, answers, strict=True)
            if not judge.verdict(prompt, answer).refused
        ]
    return found


class _KeptAnswers:
    """One model's answers under one ablation: those of earlier runs from disk, the others made now."""

    def __init__(self, loaded: "LoadedModel", ablated: NeuronSet | None) -> None:
        self._loaded = loaded
        self._ablated = ablated
        neurons = sorted(ablated.neurons) if ablated else []
        self._path = (
            workspace() / "answers" / f"{fingerprint('answers', loaded.fingerprint, neurons, ANSWER_TOKENS)}.jsonl"
        )
        self._texts = _read_answers(self._path)

    def answers(self, prompts: Sequence[str], progress: Progress) -> list[str]:
        """Return the answers in the order of ``prompts``; new ones are on disk as soon as their batch is done."""
        # Generation needs torch, and the rest of this file serves pages that do not.
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
                generate(self._loaded, missing, ANSWER_TOKENS, BATCH_SIZE, progress, on_answers=keep, step=STEP)
        return [self._texts[prompt] for prompt in prompts]

    def _append(self, texts: dict[str, str]) -> None:
        with clear_disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(
                    "".join(json.dumps({"prompt": prompt, "answer": answer}) + "\n" for prompt, answer in texts.items())
                )


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
