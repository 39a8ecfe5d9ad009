"""``neuron``: the card in words and as JSON, and mistakes as one sentence."""

import pytest

from safeneuron.models.catalogue import open_model
from safeneuron.neuron_card.card import kept_examination
from safeneuron.neuron_card.records import kept_records
from safeneuron.scoring import score_table


def test_every_number_of_the_card(home, model_folder, few_prompts, call, call_json, monkeypatch):
    found = call_json("neuron", "1:7", "--model", model_folder)
    loaded = open_model(str(model_folder))
    kept = kept_records(loaded.fingerprint)
    examined = kept_examination(loaded.fingerprint, (1, 7), kept)
    assert examined.complete(kept)
    assert (found["layer"], found["index"], found["pooling"]) == (1, 7, "last")
    assert found["scores"]["ES"]["value"] == pytest.approx(score_table(loaded).values("ES")[1, 7])
    assert found["output_weight"]["promoted"] == [list(one) for one in examined.weight.promoted]
    assert found["output_weight"]["refusal_cosine"] == examined.weight.refusal_cosine(kept, 1)
    assert found["ablation"]["harmful"]["value"] == examined.effect.harmful.value
    assert found["ablation"]["perplexity_ratio"] == examined.effect.perplexity_ratio
    assert [len(found["activations"][kind]) for kind in ("harmful", "benign")] == [6, 7]
    assert len(found["tokens"]) == len(found["most_active"]) + len(found["least_active"]) == 8
    assert [one["category"] for one in found["categories"]] == ["cybercrime", "fraud"]
    text = call("neuron", "1:7", "--model", model_folder).stdout
    assert text.startswith("Neuron 1:7: ES ") and "Switched off alone: refusal log-odds" in text


def test_the_pooling_decides_which_prompts_come_first(home, model_folder, few_prompts, call_json):
    found = call_json("neuron", "1:7", "--model", model_folder, "--pooling", "max")
    for pooled, row in zip(found["most_active"], found["tokens"], strict=False):
        assert row["prompt"] == pooled["prompt"]
        assert max(row["activations"]) == pytest.approx(pooled["activation"], rel=1e-3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("15", "write layer:index"), ("1:40", "with neurons 0 to 39"), ("9:1", "has layers 0 to 2"), ("a:b", "15:766")],
)
def test_a_neuron_that_there_is_not(home, model_folder, refusal, text, sentence):
    assert sentence in refusal("neuron", text, "--model", model_folder)
