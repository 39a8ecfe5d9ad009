"""What ablation costs on benign text: the perplexity of answers that the whole model gave."""

from collections.abc import Sequence

import torch

from safeneuron.generation import Answer
from safeneuron.models.batches import in_batches
from safeneuron.models.chat import pad, prompt_ids
from safeneuron.models.loaded import LoadedModel
from safeneuron.progress import Progress, silent


@torch.inference_mode()
def perplexity(
    loaded: LoadedModel, answers: Sequence[Answer], batch_size: int = 16, progress: Progress = silent
) -> float:
    """Return exp of the mean negative log-likelihood per answer token, given the prompts.

    Hooks on the model stay in force, so the same answers can be read with and without an ablation.

    Raises
    ------
    ValueError
        When no answer has a token.
    """
    end = loaded.tokenizer.eos_token_id
    prompts = [prompt_ids(loaded, answer.prompt) for answer in answers]
    completions = [[*answer.token_ids, *([end] if answer.finished else [])] for answer in answers]
    total, count, done = 0.0, 0, 0

    def read(batch: list[int]) -> float:
        encoded = pad(loaded, [prompts[row] + completions[row] for row in batch], side="left")
        # At least 1, since a batch may hold nothing but answers without a token.
        longest = max(1, *(len(completions[row]) for row in batch))
        with loaded.lock:
            # The logits that predict the last `longest` tokens; with left padding answers end together.
            logits = loaded.model(**encoded, use_cache=False, logits_to_keep=longest + 1).logits[:, :-1]
        losses = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), encoded["input_ids"][:, -longest:].flatten(), reduction="none"
        ).view(len(batch), longest)
        # On the CPU, since Apple's GPU has no float64.
        losses = losses.cpu().double()
        return sum(
            float(loss[longest - len(completions[row]) :].sum()) for loss, row in zip(losses, batch, strict=True)
        )

    lengths = [len(prompt) + len(completion) for prompt, completion in zip(prompts, completions, strict=True)]
    for batch, loss in in_batches(lengths, batch_size, read, progress):
        total += loss
        count += sum(len(completions[row]) for row in batch)
        done += len(batch)
        progress("Reading the answers again", done / len(answers))
    if not count:
        raise ValueError("perplexity needs at least one answer token")
    return float(torch.tensor(total / count, dtype=torch.float64).exp())
