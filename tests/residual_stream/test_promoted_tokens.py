"""A direction promotes the tokens that its product with the unembedding says, in every family."""

import numpy as np
import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models.unembedding import effects_on_logits, unembedding_of
from safeneuron.residual_stream.promoted_tokens import promoted_tokens


def test_a_tokens_own_direction_promotes_it_and_its_opposite_suppresses_it(tiny):
    token = 77
    with torch.inference_mode():
        direction = (tiny.model.get_output_embeddings().weight[token] / unembedding_of(tiny).gain()).numpy()
    one, other = promoted_tokens(tiny, np.stack([direction, -direction]), top=3)
    text = tiny.tokenizer.decode([token])
    assert one.promoted[0][0] == other.suppressed[0][0] == text
    assert one.promoted[0][1] == pytest.approx(-other.suppressed[0][1], rel=1e-5) and one.promoted[0][1] > 0
    assert len(one.promoted) == len(one.suppressed) == 3
    effects = [effect for _, effect in one.promoted]
    assert effects == sorted(effects, reverse=True)


def test_many_rows_come_in_order(llama):
    vectors = np.random.default_rng(0).standard_normal((70, 32)).astype(np.float32)
    rows = torch.cat(list(effects_on_logits(llama, torch.from_numpy(vectors), rows=64)))
    found = promoted_tokens(llama, vectors, top=1)
    assert len(found) == 70
    assert [one.promoted[0][1] for one in found] == pytest.approx(rows.amax(dim=-1).tolist())


def test_vectors_of_another_width_are_refused(llama):
    with pytest.raises(UserError, match=r"give \[n, 32\]"):
        promoted_tokens(llama, np.zeros((2, 40)))
