"""The final norm and the unembedding, found in every family and doing what the model does."""

import pytest
import torch

from safeneuron.models.chat import encode
from safeneuron.models.layout import decoder_layers
from safeneuron.models.unembedding import effects_on_logits, unembedding_of
from tests.models.test_families import CASES


@pytest.fixture(scope="module")
def models(make_tiny):
    found = {name: make_tiny(family, **settings) for name, (family, settings) in CASES.items()}
    with torch.no_grad():
        for loaded in found.values():
            norm = unembedding_of(loaded).norm
            # Transformers makes every gain 1, and so no error in one would show.
            if norm is not None:
                norm.weight.copy_(torch.rand_like(norm.weight) + 0.5)
    return found


@pytest.fixture(params=CASES)
def model(models, request):
    return models[request.param]


@torch.inference_mode()
def last_stream(loaded):
    """The stream behind the last layer ``[tokens, d_model]``, and the model's logits ``[tokens, vocabulary]``."""
    found = []
    handle = decoder_layers(loaded.model)[-1].register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        logits = loaded.model(**encode(loaded, ["Why is the sky blue?"])).logits[0]
    finally:
        handle.remove()
    stream = found[0][0] if isinstance(found[0], tuple) else found[0]
    return stream.reshape(-1, stream.shape[-1]), logits


@torch.inference_mode()
def test_it_does_what_the_model_does(model):
    stream, logits = last_stream(model)
    torch.testing.assert_close(unembedding_of(model).logits(stream), logits, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_norm_gain_and_bias_are_the_norms(model):
    """Told apart by hand: what the norm makes of a stream is the gain times it, divided, and the bias."""
    stream, _ = last_stream(model)
    unembedding = unembedding_of(model)
    if unembedding.norm is None:
        assert torch.equal(unembedding.gain(), torch.ones(unembedding.d_model))
        return
    centred = stream - stream.mean(dim=-1, keepdim=True) if unembedding.centres else stream
    scale = centred.double().pow(2).mean(dim=-1, keepdim=True).sqrt()
    expected = unembedding.gain() * centred / scale + unembedding.bias()
    torch.testing.assert_close(unembedding.normalised(stream).double(), expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_effects_rank_as_the_logits_do(model):
    """Of a whole stream, the effects are its uncapped logits but for the norm's scale and the biases."""
    stream, _ = last_stream(model)
    unembedding = unembedding_of(model)
    effects = torch.cat(list(effects_on_logits(model, stream, rows=5)))
    bias = unembedding.bias() if unembedding.norm is not None else torch.zeros(unembedding.d_model)
    logits = unembedding.uncapped(stream) - unembedding.unembedded(bias[None])
    logits = logits - logits.mean(dim=-1, keepdim=True)
    similar = torch.nn.functional.cosine_similarity(effects.double(), logits.double(), dim=-1)
    torch.testing.assert_close(similar, torch.ones_like(similar), rtol=0, atol=1e-6)
    assert float(effects.mean(dim=-1).abs().max()) < 1e-3


@torch.inference_mode()
def test_a_contrast_is_the_difference_of_logits(model):
    stream, _ = last_stream(model)
    unembedding, tokens = unembedding_of(model), [5, 9, 40]
    direction, constant = unembedding.contrast(tokens)
    logits = unembedding.uncapped(stream).double()
    expected = logits[:, tokens].mean(dim=-1) - logits.mean(dim=-1)
    found = unembedding.normalised(stream).double() @ direction + constant
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_tied_unembedding_is_no_copy(make_tiny):
    for tied in (True, False):
        loaded = make_tiny("llama", tie_word_embeddings=tied)
        head = unembedding_of(loaded).head
        assert (head.weight is loaded.model.get_input_embeddings().weight) == tied
        assert head is loaded.model.get_output_embeddings()
