"""Supervised fine-tuning that learns an answer's first token as one question, whether to refuse.

Ordinary fine-tuning spreads its loss over all tokens of all answers, and the one that decides is lost
among them. Here the log-odds that the answer opens as a refusal (the refusal score of Arditi et al.
2024, arXiv 2406.11717) are learned by logistic loss, one term per prompt; the other tokens as usual.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from trl import SFTTrainer


def opening_loss(
    logits: torch.Tensor, refuses: torch.Tensor, openings: torch.Tensor, adjustment: float = 0.0
) -> torch.Tensor:
    """Return the mean logistic loss of the refusal score.

    The score is that of :func:`~safeneuron.refusal.log_odds.log_odds`, from log-probabilities and without
    its 1e-8, which would stop the gradient wherever the model is sure and wrong.

    Parameters
    ----------
    logits : Tensor ``[n, vocabulary]``
        At the last token of each prompt.
    refuses : Tensor ``[n]``, bool
        Whether the answer to learn is a refusal.
    openings : Tensor of int
        Ids of the tokens that open a refusal.
    adjustment : float
        Nats by which the score has to stay below the evidence: the model then refuses only what it is
        that much surer of (logit adjustment, Menon et al. 2021, arXiv 2007.07314, eq. 10).
    """
    log_probability = logits.float().log_softmax(dim=-1)
    opens = torch.zeros(logits.shape[-1], dtype=torch.bool)
    opens[openings] = True
    score = log_probability[:, opens].logsumexp(dim=-1) - log_probability[:, ~opens].logsumexp(dim=-1)
    return functional.binary_cross_entropy_with_logits(score + adjustment, refuses.float())


class OpeningTrainer(SFTTrainer):
    """TRL's SFTTrainer with :func:`opening_loss` for the first answer token, on one process.

    An answer is a refusal when it begins with one of ``openings``, so that no other example may.
    A refusal's first token has no other loss; all further tokens, and the first of an ordinary
    answer, have the usual cross-entropy, the mean over the batch's tokens times ``text_weight``.
    """

    def __init__(
        self, *args: Any, openings: Sequence[int], adjustment: float, text_weight: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._openings = torch.tensor(list(openings))
        self._adjustment = adjustment
        self._text_weight = text_weight

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss; the output layer is applied to the learned positions only, which saves a fifth."""
        language_model = model.get_base_model()
        hidden = language_model.base_model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).last_hidden_state[:, :-1]
        head = language_model.get_output_embeddings()
        targets = inputs["labels"][:, 1:]
        learned = targets != -100
        row, first = torch.arange(len(targets)), learned.int().argmax(dim=1)
        refuses = torch.isin(targets[row, first], self._openings)
        opening = opening_loss(head(hidden[row, first]), refuses, self._openings, self._adjustment)
        learned[row[refuses], first[refuses]] = False
        text = functional.cross_entropy(head(hidden[learned]).float(), targets[learned])
        return opening + self._text_weight * text
