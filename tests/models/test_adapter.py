"""An adapter is merged into its base model exactly, in memory; one that does not fit is refused."""

import copy
import json

import pytest
import torch

from safeneuron.errors import UserError
from safeneuron.models.catalogue import ancestors, model_card, open_model, weights_folder
from safeneuron.models.difference import weight_difference
from safeneuron.models.fit import weights_memory
from safeneuron.models.roots import check_roots
from safeneuron.models.sources import embedded


@pytest.fixture
def make_adapter(llama, tmp_path):
    """Return a function that writes a LoRA adapter with random factors: ``make_adapter(base_name, **config)``."""
    from peft import LoraConfig, get_peft_model

    def make(base, name="adapter", model=None, **settings):
        config = LoraConfig(r=2, lora_alpha=3, **{"target_modules": ["down_proj", "q_proj"]} | settings)
        adapted = get_peft_model(copy.deepcopy(model or llama.model), config)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for weight_name, parameter in adapted.named_parameters():
                if "lora_B" in weight_name:
                    torch.nn.init.normal_(parameter)
        adapted.peft_config["default"].base_model_name_or_path = base
        folder = tmp_path / name
        adapted.save_pretrained(folder, save_embedding_layers=False)
        return folder

    return make


def expected(llama, folder):
    """Return the weights that the adapter's factors make, computed in float64."""
    from safetensors.torch import load_file

    factors, weights = load_file(folder / "adapter_model.safetensors"), copy.deepcopy(llama.model.state_dict())
    for name in [name for name in factors if "lora_A" in name]:
        target = name.removeprefix("base_model.model.").replace(".lora_A", "")
        added = 1.5 * factors[name.replace("lora_A", "lora_B")].double() @ factors[name].double()
        weights[target] = (weights[target].double() + added).float()
    return weights


@pytest.mark.parametrize("how", ["named", "relative", "explicit"])
def test_the_merged_model_is_base_plus_factors(how, make_adapter, model_folder, home, llama):
    base = {"named": str(model_folder), "relative": "../tiny-llama", "explicit": "no-such-base"}[how]
    folder = make_adapter(base)
    source = f"{model_folder}::{folder}" if how == "explicit" else str(folder)
    loaded = open_model(source)
    states, wanted = loaded.model.state_dict(), expected(llama, folder)
    assert states.keys() == wanted.keys()
    assert all(torch.allclose(states[name], wanted[name], atol=1e-6, rtol=0) for name in wanted)
    assert not torch.equal(
        states["model.layers.0.mlp.down_proj.weight"], llama.model.model.layers[0].mlp.down_proj.weight
    )
    card = loaded.card
    assert card == model_card(source) and card.title == "tiny-llama + adapter" and card.shape == (3, 40)
    assert list(ancestors(card)) == [model_card(str(model_folder)).fingerprint]
    assert weights_memory(card) == loaded.bytes
    assert weights_folder(card) is None and not list(home.rglob("*.safetensors"))


def test_both_forms_name_the_same_model(make_adapter, model_folder, home):
    folder = make_adapter(str(model_folder))
    assert model_card(str(folder)).fingerprint == model_card(f"{model_folder}::{folder}").fingerprint


def test_the_base_model_on_disk_is_not_taken_for_it(make_adapter, model_folder, home):
    card = model_card(str(make_adapter(str(model_folder))))
    with pytest.raises(UserError, match="merged in memory only, so its weights cannot be compared"):
        weight_difference(model_card(str(model_folder)), card)


def drop_tensor(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    del tensors[sorted(tensors)[0]]
    save_file(tensors, folder / "adapter_model.safetensors")


def cut(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def pickled(folder):
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def nameless(folder):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": None}))


def garbled(folder):
    (folder / "adapter_config.json").write_text("{")


def saying(**values):
    def change(folder):
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    change.__name__ = f"saying {values}"[:60]
    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (saying(r="x"), "cannot be merged .*; correct its adapter_config.json, or fetch the adapter again"),
        (saying(lora_alpha="x"), "cannot be merged"),
        (saying(target_modules=5), "cannot be merged"),
        (saying(target_modules="(["), "cannot be merged"),
        (saying(rank_pattern="x"), "cannot be merged"),
        (saying(peft_type=["LORA"]), "is not an adapter's config; fetch"),
        (saying(megatron_config={"a": 1}, megatron_core="evil"), "for a model inside Megatron, whose code"),
        (saying(base_model_name_or_path="a\0b"), "does not name its base model: .* is no path .*Or write BASE::"),
        (saying(base_model_name_or_path="x" * 5000), "does not name its base model: .*it is too long.*Or write BASE"),
        (saying(base_model_name_or_path="~nobody-of-this-name/x"), "does not name its base model: .* is no path"),
        (drop_tensor, "does not fit its base model .*lora.* is not in both"),
        (cut, "damaged or cut short"),
        (pickled, "holds no adapter_model.safetensors.*pickles are not opened"),
        (nameless, "does not name its base model; write BASE::"),
        (garbled, "is not an adapter's config"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_damaged_adapter_says_why(make_adapter, model_folder, home, damage, message):
    folder = make_adapter(str(model_folder))
    damage(folder)
    with pytest.raises(UserError, match=message):
        open_model(str(folder))


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ({"hidden_size": 48}, {}, "does not fit its base model .*mismatch"),
        ({"num_hidden_layers": 4}, {}, "does not fit its base model .*layers.3.* is not in both"),
        ({"vocab_size": 300}, {"modules_to_save": ["embed_tokens"]}, "does not fit its base model .*mismatch"),
    ],
)
def test_an_adapter_of_another_model_is_refused(make_adapter, make_tiny, model_folder, home, config, settings, message):
    folder = make_adapter(str(model_folder), model=make_tiny("llama", **config).model, **settings)
    with pytest.raises(UserError, match=message):
        open_model(str(folder))


def test_modules_of_another_family_are_refused(make_adapter, make_tiny, model_folder, home):
    other = make_tiny("llama").model
    other.model.layers[0].mlp.third_proj = torch.nn.Linear(4, 4)
    folder = make_adapter(str(model_folder), model=other, target_modules=["third_proj"])
    with pytest.raises(UserError, match="does not fit its base model .*third_proj"):
        open_model(str(folder))


def test_saved_modules_are_taken_over(make_adapter, model_folder, home, llama):
    other = copy.deepcopy(llama.model)
    other.model.norm.weight.data.fill_(2.0)
    folder = make_adapter(str(model_folder), model=other, modules_to_save=["norm"])
    assert torch.all(open_model(str(folder)).model.model.norm.weight == 2.0)


def test_an_adapter_on_itself_or_another_is_refused(make_adapter, model_folder, home):
    one = make_adapter(".", "one")
    with pytest.raises(UserError, match="adapter on another adapter"):
        model_card(str(one))
    with pytest.raises(UserError, match="adapter on another adapter"):
        model_card(str(make_adapter("../one", "two")))


def test_an_adapter_that_says_another_base_is_merged_and_the_card_says_so(make_adapter, model_folder, home):
    """Of the same shape, so that nothing else could tell."""
    folder = make_adapter("org/Other-Model")
    card = model_card(f"{model_folder}::{folder}")
    assert "says that it was trained on 'org/Other-Model'" in card.origin
    assert open_model(card.source).card == card


@pytest.mark.parametrize("said", ["org/Tiny-Llama", "elsewhere/tiny-llama/", "../tiny-llama", None])
def test_a_base_that_may_be_the_same_elsewhere_is_not_doubted(make_adapter, model_folder, home, said):
    folder = make_adapter(said)
    assert model_card(f"{model_folder}::{folder}").origin.endswith("merged in memory into tiny-llama.")


@pytest.mark.parametrize("source", ["::./x", "x::", "::"])
def test_half_a_name_is_refused(home, source):
    with pytest.raises(UserError, match="write BASE::ADAPTER"):
        model_card(source)


def test_the_adapter_and_its_base_must_both_lie_inside_the_roots(make_adapter, model_folder, home, monkeypatch):
    folder = make_adapter(str(model_folder))
    monkeypatch.setenv("SAFENEURON_ROOTS", str(folder))
    with pytest.raises(UserError, match="lies outside"):
        check_roots(str(folder))
    with pytest.raises(UserError, match="lies outside"):
        check_roots(f"smollm2-135m-safe::{model_folder}")
    monkeypatch.setenv("SAFENEURON_ROOTS", f"{folder}:{model_folder}")
    check_roots(str(folder))


def test_the_shipped_adapter_names_an_embedded_base(home):
    card = model_card(str(embedded.adapter_folder()))
    assert card.parent == embedded.SOURCE.base and not card.ready and card.cost
    assert card.fingerprint not in {other.fingerprint for other in embedded.SOURCE.cards()}


@pytest.mark.default_model
def test_the_shipped_adapter_makes_the_default_model(default_model, session_home, monkeypatch):
    monkeypatch.setenv("SAFENEURON_HOME", str(session_home))
    merged = open_model(str(embedded.adapter_folder())).model.state_dict()
    for name, tensor in default_model.model.state_dict().items():
        assert torch.allclose(tensor, merged[name], atol=1e-5), name
