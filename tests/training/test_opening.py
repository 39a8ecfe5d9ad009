"""The loss of the first answer token is the refusal score's, and that of the others the usual one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from safeneuron.refusal.log_odds import refusal_scores, refusal_token_ids
from safeneuron.training.opening import OpeningTrainer, opening_loss


def next_logits(loaded, prompt):
    from safeneuron.models.chat import pad, prompt_ids

    with torch.no_grad():
        return loaded.model(**pad(loaded, [prompt_ids(loaded, prompt)])).logits[0, -1]


@pytest.mark.parametrize("adjustment", [0.0, 1.5])
def test_it_is_the_logistic_loss_of_the_refusal_score(tiny64, prompts, adjustment):
    scores = refusal_scores(tiny64, prompts)
    refuses = np.arange(len(prompts)) % 2 == 0
    expected = np.mean(np.log1p(np.exp(np.where(refuses, -1, 1) * (scores + adjustment))))
    logits = torch.stack([next_logits(tiny64, prompt) for prompt in prompts])
    openings = torch.tensor(refusal_token_ids(tiny64))
    loss = opening_loss(logits, torch.tensor(refuses), openings, adjustment)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_an_adjusted_score_stays_below_the_evidence():
    """Of 100 equal prompts half refuse: the best score is minus the adjustment."""
    logits = torch.zeros(1, 2, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(400):
        loss = opening_loss(logits.expand(100, 2), torch.arange(100) < 50, torch.tensor([1]), 1.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((logits[0, 1] - logits[0, 0]).detach()) == pytest.approx(-1.5, abs=1e-3)


def test_the_whole_loss_of_a_padded_batch(llama):
    """Against full logits and a loop: one refusal, one ordinary answer, of different lengths."""
    opening, other = refusal_token_ids(llama)[0], 40
    rows = [([5, 6, 7], [opening, 60, 61]), ([9, 10, 11, 12, 13], [other, 70])]
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, labels = torch.zeros(2, length, dtype=torch.long), torch.full((2, length), -100)
    mask = torch.zeros(2, length, dtype=torch.long)
    for row, (prompt, answer) in enumerate(rows):
        whole = prompt + answer
        ids[row, : len(whole)], mask[row, : len(whole)] = torch.tensor(whole), 1
        labels[row, len(prompt) : len(whole)] = torch.tensor(answer)

    openings = torch.tensor(refusal_token_ids(llama))
    with torch.no_grad():
        single = [llama.model(torch.tensor([prompt + answer])).logits[0] for prompt, answer in rows]
        first = torch.stack([single[0][2], single[1][4]])
        usual = [(single[0][3], 60), (single[0][4], 61), (single[1][4], other), (single[1][5], 70)]
        expected = opening_loss(first, torch.tensor([True, False]), openings, 0.7) + 0.5 * functional.cross_entropy(
            torch.stack([logits for logits, _ in usual]), torch.tensor([target for _, target in usual])
        )
        trainer = SimpleNamespace(_openings=openings, _adjustment=0.7, _text_weight=0.5)
        wrapped = SimpleNamespace(get_base_model=lambda: llama.model)
        batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        loss = OpeningTrainer.compute_loss(trainer, wrapped, batch)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert (labels != -100).sum() == 5, "the batch must stay as it was"
