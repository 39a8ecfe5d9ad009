"""Answers, greedy unless asked otherwise, in batches, streamed to whoever listens."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import GenerationConfig
from transformers.generation.streamers import BaseStreamer

from safeneuron.models.batches import in_batches
from safeneuron.models.chat import pad, prompt_ids
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent
from safeneuron.prompts.answers import MAX_NEW_TOKENS


@dataclass(frozen=True)
class Answer:
    """One prompt's answer.

    Parameters
    ----------
    prompt : str
    text : str
        Decoded without special tokens.
    token_ids : tuple of int
        The generated ids, up to and without the end-of-turn token.
    finished : bool
        False when the answer was cut at the token limit.
    """

    prompt: str
    text: str
    token_ids: tuple[int, ...]
    finished: bool


class TokenListener(BaseStreamer):
    """Hands each newly generated row of token ids to a callable, in the calling thread.

    Transformers' own streamers take one row at a time only, or need a second thread, in which
    hooks and thread budgets would have to be repeated.
    """

    def __init__(self, on_tokens: Callable[[torch.Tensor], None]) -> None:
        self._on_tokens = on_tokens
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        """Receive first the prompt, which is passed over, then ``[n]`` new ids per step."""
        if self._prompt_seen:
            self._on_tokens(value)
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing is buffered, so nothing is left to flush."""


@torch.inference_mode()
def generate(
    loaded: LoadedModel,
    prompts: Sequence[str],
    max_new_tokens: int = MAX_NEW_TOKENS,
    batch_size: int = 32,
    progress: Progress = silent,
    on_answers: Callable[[list[Answer]], None] | None = None,
    step: str = "Generating answers",
    temperature: float = 0.0,
) -> list[Answer]:
    """Answer every prompt, greedily at temperature 0; whatever hooks are on the model stay in force.

    Parameters
    ----------
    loaded : LoadedModel
    prompts : sequence of str
        Bare prompts; the chat template is applied here.
    max_new_tokens, batch_size : int
    progress : Progress
        Told after every token step.
    on_answers : callable, optional
        Receives each finished batch, so that a page can show answers as they come.
    temperature : float
        Above 0, each token is sampled from the whole distribution, by torch's global generator.

    Returns
    -------
    list of Answer
        In the order of ``prompts``.
    """
    rows = [prompt_ids(loaded, prompt) for prompt in prompts]
    answers: list[Answer | None] = [None] * len(prompts)
    done = 0

    def answer(batch: list[int]) -> list[Answer]:
        steps = 0

        def listen(_: torch.Tensor) -> None:
            nonlocal steps
            steps += 1
            progress(step, (done + len(batch) * steps / max_new_tokens) / len(prompts))

        new_ids = _generate_ids(
            loaded, [rows[row] for row in batch], max_new_tokens, TokenListener(listen), temperature
        )
        return [_answer(loaded, prompts[row], ids, max_new_tokens) for row, ids in zip(batch, new_ids, strict=True)]

    for batch, finished in in_batches([len(row) for row in rows], batch_size, answer, progress):
        for row, found in zip(batch, finished, strict=True):
            answers[row] = found
        done += len(batch)
        progress(step, done / len(prompts))
        if on_answers:
            on_answers(finished)
    return [found for found in answers if found is not None]


@torch.inference_mode()
def stream(
    loaded: LoadedModel, prompt: str, on_text: Callable[[str], None], max_new_tokens: int = MAX_NEW_TOKENS
) -> Answer:
    """Answer one prompt greedily and hand the text so far to ``on_text`` after every token."""
    ids: list[int] = []

    def listen(value: torch.Tensor) -> None:
        ids.extend(value.flatten().tolist())
        on_text(loaded.tokenizer.decode(ids, skip_special_tokens=True))

    new_ids = _generate_ids(loaded, [prompt_ids(loaded, prompt)], max_new_tokens, TokenListener(listen))
    return _answer(loaded, prompt, new_ids[0], max_new_tokens)


def _generate_ids(
    loaded: LoadedModel,
    rows: list[list[int]],
    max_new_tokens: int,
    listener: TokenListener,
    temperature: float = 0.0,
) -> list[list[int]]:
    batch = pad(loaded, rows)
    with loaded.lock, _own_rules(loaded, max_new_tokens, temperature) as config:
        output = loaded.model.generate(**batch, generation_config=config, streamer=listener)
    return output[:, batch["input_ids"].shape[1] :].tolist()


@contextmanager
def _own_rules(loaded: LoadedModel, max_new_tokens: int, temperature: float) -> Iterator[GenerationConfig]:
    """Set aside how the model's folder wants it to answer (sampling, beams, penalties, forced tokens).

    Only its special tokens are kept. Transformers fills whatever a call leaves open from the
    model's own configuration, so that has to go for the duration of the call.
    """
    own = loaded.model.generation_config
    rules = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature or None,
        top_k=0 if temperature > 0 else None,
        num_beams=1,
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=loaded.tokenizer.pad_token_id,
    )
    loaded.model.generation_config = rules
    try:
        yield rules
    finally:
        loaded.model.generation_config = own


def _answer(loaded: LoadedModel, prompt: str, ids: list[int], max_new_tokens: int) -> Answer:
    ends = loaded.model.generation_config.eos_token_id
    stops = {loaded.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    kept = ids[: next((position for position, token in enumerate(ids) if token in stops), len(ids))]
    text = loaded.tokenizer.decode(kept, skip_special_tokens=True).strip()
    return Answer(prompt=prompt, text=text, token_ids=tuple(kept), finished=len(kept) < max_new_tokens)
