"""The chat template is applied once, by us, and the mask says what is real."""

import pytest
import torch

from safeneuron.generation import generate
from safeneuron.models.chat import batches_by_length, encode, last_positions, pad, prompt_ids, templated


def test_the_template_is_applied_once_and_adds_no_second_bos(llama):
    assert templated(llama, "Hi") == "<s>user: Hi\nassistant:"
    ids = prompt_ids(llama, "Hi")
    assert ids.count(llama.tokenizer.bos_token_id) == 1
    assert llama.tokenizer.decode(ids) == "<s>user: Hi\nassistant:"


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_padded_on_one_side_with_their_mask(llama, prompts, side):
    rows = [prompt_ids(llama, prompt) for prompt in prompts]
    batch = encode(llama, prompts, side)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    assert ids.shape == mask.shape == (len(prompts), max(len(row) for row in rows))
    for row, padded, real in zip(rows, ids, mask.bool(), strict=True):
        assert padded[real].tolist() == row
        assert (padded[~real] == llama.tokenizer.pad_token_id).all()
        assert real[-1 if side == "left" else 0]
        assert padded[last_positions(real.long()[None])].item() == row[-1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_positions_count_real_tokens_only(tiny, prompts, side):
    batch = encode(tiny, prompts, side)
    for positions, real in zip(batch["position_ids"], batch["attention_mask"].bool(), strict=True):
        assert positions[real].tolist() == list(range(int(real.sum())))
        assert (positions >= 0).all()


ABSOLUTE = {"gpt2": {}, "opt": {"word_embed_proj_dim": 32, "ffn_dim": 40}}


@pytest.fixture(params=ABSOLUTE)
def absolute(request, make_tiny):
    """A model whose positions are embedded one by one, so that a shift by the padding shows."""
    return make_tiny(request.param, **ABSOLUTE[request.param])


@torch.inference_mode()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_where_positions_are_absolute(absolute, prompts, side):
    batch = encode(absolute, prompts, side)
    rows = torch.arange(len(prompts))
    together = absolute.model(**batch).logits[rows, last_positions(batch["attention_mask"])]
    alone = torch.cat([absolute.model(**encode(absolute, [prompt])).logits[:, -1] for prompt in prompts])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_generation_under_left_padding_where_positions_are_absolute(absolute, prompts):
    alone = [generate(absolute, [prompt], 8)[0].token_ids for prompt in prompts]
    assert [answer.token_ids for answer in generate(absolute, prompts, 8)] == alone


def test_rows_of_one_length_are_not_padded(llama):
    assert pad(llama, [[5, 6], [7, 8]])["attention_mask"].tolist() == [[1, 1], [1, 1]]


def test_last_positions_of_a_single_token():
    assert last_positions(torch.tensor([[1, 0, 0], [0, 0, 1], [0, 1, 0]])).tolist() == [0, 2, 1]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_batches_hold_every_row_once_longest_first(batch_size):
    lengths = [3, 9, 1, 9, 4]
    batches = batches_by_length(lengths, batch_size)
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert [lengths[row] for row in rows] == [9, 9, 4, 3, 1]
    assert all(len(batch) == batch_size for batch in batches[:-1])
