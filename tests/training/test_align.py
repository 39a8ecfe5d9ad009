"""The recipe's adapter changes the chosen neurons' weights and nothing else, and is what PEFT reads."""

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from safeneuron.activations import collect
from safeneuron.errors import UserError
from safeneuron.models.layout import mlp_blocks
from safeneuron.prompts.promptset import PromptSet
from safeneuron.training import align, safety_neurons
from safeneuron.training.align import AlignSettings, train_adapter
from tests.conftest import PROMPTS
from tests.tiny_models import LAYERS, WIDTH

SETTINGS = AlignSettings(neurons_per_layer=3, first_layer=1, epochs=1, batch_size=2, answer_tokens=4)


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch):
    def some(part):
        return PromptSet("some", PROMPTS)

    for module in (align, safety_neurons):
        for kind in ("harmful", "benign", "twins"):
            monkeypatch.setattr(module, kind, some)
    yield
    torch.use_deterministic_algorithms(False)


def adapted(make_tiny, folder):
    """Train an adapter of a new tiny model; return the untouched model, the adapted one and the facts."""
    base, whole = make_tiny("llama", seed=1), make_tiny("llama", seed=1)
    facts = train_adapter(base, align.training_rows(base, SETTINGS), folder, SETTINGS)
    return whole, PeftModel.from_pretrained(make_tiny("llama", seed=1).model, folder).merge_and_unload(), facts


def test_only_the_chosen_neurons_change(make_tiny, tmp_path):
    before, model, facts = adapted(make_tiny, tmp_path / "adapter")
    chosen = safety_neurons.tunable_neurons(before, range(1, LAYERS), 3)
    assert facts["neurons"] == len(chosen) == 3 * (LAYERS - 1)
    mask = np.zeros((LAYERS, WIDTH), bool)
    mask[tuple(np.array(sorted(chosen.neurons)).T)] = True
    for layer, (old, new) in enumerate(zip(mlp_blocks(before.model), mlp_blocks(model), strict=True)):
        moved = {
            "gate": (old.gate.weight != new.gate.weight).any(dim=1),
            "up": (old.up.weight != new.up.weight).any(dim=1),
            "down": (old.down.weight != new.down.weight).any(dim=0),
        }
        for name, found in moved.items():
            assert found.tolist() == mask[layer].tolist(), (layer, name)
    same = {name for name, value in before.model.state_dict().items() if torch.equal(value, model.state_dict()[name])}
    assert {name for name in before.model.state_dict() if "mlp" not in name} <= same


def test_the_same_seed_gives_the_same_bytes(make_tiny, tmp_path):
    adapted(make_tiny, tmp_path / "first")
    adapted(make_tiny, tmp_path / "second")
    first, second = (tmp_path / name / "adapter_model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert {tensor.dtype for tensor in load_file(first).values()} == {torch.float16}


def test_an_adapter_too_large_for_the_package_is_not_written(make_tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(align, "ADAPTER_LIMIT_BYTES", 10)
    with pytest.raises(UserError, match="train fewer neurons"):
        adapted(make_tiny, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_chosen_neurons_are_little_used_and_fire_most_on_harmful_prompts(llama, monkeypatch):
    monkeypatch.setattr(safety_neurons, "harmful", lambda part: PromptSet("harmful", PROMPTS[:3]))
    monkeypatch.setattr(safety_neurons, "benign", lambda part: PromptSet("benign", PROMPTS[3:5]))
    monkeypatch.setattr(safety_neurons, "twins", lambda part: PromptSet("twins", PROMPTS[5:]))
    chosen = safety_neurons.tunable_neurons(llama, [0, 2], 4).by_layer()
    assert {layer: len(found) for layer, found in chosen.items()} == {0: 4, 2: 4}
    harmful, safe = collect(llama, PROMPTS[:3]), collect(llama, PROMPTS[3:])
    use = safety_neurons.output_size(llama, safe)
    effect = safety_neurons.effect_size(harmful, safe)
    for layer, found in chosen.items():
        little_used = use[layer] < np.median(use[layer])
        assert little_used[found].all()
        others = [index for index in np.flatnonzero(little_used) if index not in found]
        assert effect[layer][found].min() >= effect[layer][others].max()


def test_output_size_is_the_size_of_what_a_neuron_writes(llama):
    from safeneuron.activations import pooled_activations
    from safeneuron.models.chat import pad, prompt_ids

    use = safety_neurons.output_size(llama, collect(llama, PROMPTS))
    encoded = pad(llama, [prompt_ids(llama, prompt) for prompt in PROMPTS])
    with torch.no_grad():
        activation = pooled_activations(llama, encoded, "last").double()
    down = mlp_blocks(llama.model)[1].down.weight.detach().double()
    written = torch.stack([row * down[:, 7] for row in activation[:, 1, 7]])
    assert use[1, 7] == pytest.approx(float(written.square().sum(dim=1).mean().sqrt()), rel=1e-4)
