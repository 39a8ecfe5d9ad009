"""Where models go is decided once, said in words, kept apart in results, and never quietly something else."""

import importlib.machinery
from dataclasses import replace

import numpy as np
import pytest
import torch

from safeneuron.ablation.hooks import ablate
from safeneuron.ablation.specification import Ablation
from safeneuron.activations import collect, pooled_activations
from safeneuron.errors import UserError
from safeneuron.models import device, memory
from safeneuron.models.catalogue import model_card, open_model, weights_folder
from safeneuron.models.chat import encode
from safeneuron.models.device import Placement, loading_arguments, placement, require_on_gpus
from safeneuron.models.layout import mlp_blocks
from safeneuron.models.nvidia import GPU, visible_gpus
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scoring import kept_score_table, score_table
from safeneuron.selection import checked


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes this machine another one: ``machine(gpus=2)``."""

    def make(gpus=0, cuda_build=True, system="linux", processor="x86_64", bitsandbytes=False, **environment):
        for name in ("SAFENEURON_DEVICE", "SAFENEURON_LOAD"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(device, "visible_gpus", lambda: [GPU(6, 8)] * gpus)
        monkeypatch.setattr(memory, "visible_gpus", lambda: [GPU(6, 8)] * gpus)
        monkeypatch.setattr(device, "_torch_has_cuda", lambda: cuda_build)
        monkeypatch.setattr(device.sys, "platform", system)
        monkeypatch.setattr(device.platform, "machine", lambda: processor)
        spec = importlib.machinery.ModuleSpec("bitsandbytes", None)
        monkeypatch.setattr(device, "find_spec", lambda name: spec if bitsandbytes else None)

    return make


@pytest.mark.parametrize(
    ("have", "expected"),
    [
        ({}, ("cpu", "float32")),
        ({"gpus": 1}, ("cuda:0", "bfloat16")),
        ({"gpus": 2}, ("auto", "bfloat16")),
        ({"gpus": 1, "cuda_build": False}, ("cpu", "float32")),
        ({"system": "darwin", "processor": "arm64"}, ("mps", "bfloat16")),
        ({"system": "darwin"}, ("cpu", "float32")),
        ({"gpus": 2, "SAFENEURON_DEVICE": "cpu"}, ("cpu", "float32")),
        ({"gpus": 2, "SAFENEURON_DEVICE": "cuda"}, ("cuda:0", "bfloat16")),
        ({"gpus": 2, "SAFENEURON_DEVICE": "cuda:1", "SAFENEURON_LOAD": "float32"}, ("cuda:1", "float32")),
        ({"SAFENEURON_LOAD": "bfloat16"}, ("cpu", "bfloat16")),
        ({"gpus": 1, "SAFENEURON_LOAD": "4bit", "bitsandbytes": True}, ("cuda:0", "4bit")),
    ],
)
def test_where_models_go(machine, have, expected):
    machine(**have)
    assert placement() == Placement(*expected)


@pytest.mark.parametrize(
    ("have", "message"),
    [
        ({"SAFENEURON_DEVICE": "gpu"}, "SAFENEURON_DEVICE is 'gpu'; set it to auto, cpu"),
        ({"SAFENEURON_LOAD": "int8"}, "SAFENEURON_LOAD is 'int8'; set it to one of auto, float32"),
        ({"SAFENEURON_LOAD": "4bit"}, "needs an NVIDIA GPU, and models go to the CPU here"),
        ({"SAFENEURON_LOAD": "4bit", "gpus": 1}, "pip install bitsandbytes"),
        ({"SAFENEURON_DEVICE": "cuda"}, "there is no NVIDIA GPU here"),
        ({"SAFENEURON_DEVICE": "cuda:1", "SAFENEURON_LOAD": "4bit"}, "there is no NVIDIA GPU here"),
        ({"SAFENEURON_DEVICE": "cuda:1", "gpus": 1}, "no cuda:1 here; set SAFENEURON_DEVICE to cuda:0, or to auto"),
        ({"SAFENEURON_DEVICE": "cuda:2", "gpus": 2}, "no cuda:2 here; .* to one of cuda:0 to cuda:1, or to auto"),
    ],
)
def test_what_cannot_be_had_is_said(machine, have, message):
    machine(**have)
    with pytest.raises(UserError, match=message):
        placement()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("where", ["cuda:0", "auto", "mps"])
def test_a_device_that_torch_cannot_use_is_refused_and_not_replaced(where):
    with pytest.raises(UserError, match="set SAFENEURON_DEVICE=cpu"):
        loading_arguments(Placement(where, "bfloat16"))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Placement("cpu", "float32"), {"dtype": torch.float32}),
        (Placement("cuda:1", "bfloat16"), {"dtype": torch.bfloat16, "device_map": {"": "cuda:1"}}),
        (Placement("auto", "float32"), {"dtype": torch.float32, "device_map": "auto"}),
    ],
)
def test_what_transformers_is_told(monkeypatch, where, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert loading_arguments(where) == expected
    with pytest.raises(UserError, match="cannot use cuda:2; set SAFENEURON_DEVICE to one of cuda:0 to cuda:1"):
        loading_arguments(Placement("cuda:2", "float32"))


def test_four_bit_weights_compute_in_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    settings = loading_arguments(Placement("cuda:0", "4bit"))["quantization_config"]
    assert settings.load_in_4bit and settings.bnb_4bit_compute_dtype == torch.bfloat16


@pytest.mark.parametrize("place", ["cpu", "disk"])
def test_a_model_that_spills_over_the_gpus_is_refused(place):
    require_on_gpus({"model.layers.0": 0, "model.layers.1": 1})
    require_on_gpus(None)
    with pytest.raises(UserError, match="does not fit into the memory of the GPUs"):
        require_on_gpus({"model.layers.0": 0, "model.layers.1": place})


def test_without_a_driver_there_are_no_gpus(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr("safeneuron.models.nvidia.ctypes.CDLL", missing)
    assert visible_gpus() == []


def test_memory_is_that_of_where_models_go(machine):
    machine(gpus=2)
    assert memory.memory(Placement("auto", "bfloat16")) == memory.Memory("GPU memory", 12, 16)
    assert memory.memory(Placement("cuda:1", "bfloat16")) == memory.Memory("GPU memory", 6, 8)
    here = memory.memory(Placement("cpu", "float32"))
    assert here.name == "memory" and 0 < here.free < here.total


@pytest.fixture(
    params=[
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")),
    ]
)
def bfloat16(request, model_folder, home, monkeypatch):
    """The tiny Llama opened in bfloat16, as on a GPU: on the CPU, and on one where there is one."""
    monkeypatch.setenv("SAFENEURON_DEVICE", request.param)
    monkeypatch.setenv("SAFENEURON_LOAD", "bfloat16")
    return open_model(str(model_folder))


def test_results_of_each_precision_are_kept_apart(bfloat16, model_folder, prompts, monkeypatch):
    source = str(model_folder)
    assert bfloat16.model.dtype == torch.bfloat16
    assert bfloat16.fingerprint == model_card(source).fingerprint
    classes = [PromptSet("some", prompts[:3]), PromptSet("others", prompts[3:])]
    score_table(bfloat16, *classes)
    assert kept_score_table(model_card(source).fingerprint, *classes) is not None
    monkeypatch.delenv("SAFENEURON_LOAD")
    plain = model_card(source)
    assert bfloat16.fingerprint == f"{plain.fingerprint}+bfloat16"
    assert kept_score_table(plain.fingerprint, *classes) is None
    assert open_model(source).fingerprint == plain.fingerprint


def test_the_embedded_models_are_found_in_every_precision(home, monkeypatch):
    plain = [weights_folder(model_card(name)) for name in ("smollm2-135m-safe", "smollm2-135m-instruct")]
    monkeypatch.setenv("SAFENEURON_LOAD", "bfloat16")
    assert [weights_folder(model_card(name)) for name in ("smollm2-135m-safe", "smollm2-135m-instruct")] == plain


def test_a_set_of_one_precision_is_one_of_the_other(bfloat16, some_neurons):
    neurons = some_neurons(bfloat16)
    assert neurons.model.endswith("+bfloat16")
    plain = neurons.model.removesuffix("+bfloat16")
    assert checked(neurons, plain, neurons.shape) is neurons
    with pytest.raises(UserError, match="found on another model"):
        checked(replace(neurons, model="other+bfloat16"), plain, neurons.shape)


@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
def test_statistics_of_bfloat16_activations_are_summed_in_float64(bfloat16, prompts, pooling):
    found = collect(bfloat16, prompts, pooling, batch_size=1)
    rows = []
    with torch.inference_mode():
        for prompt in prompts:
            seen = []
            handles = [
                block.down.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][0].double()))
                for block in mlp_blocks(bfloat16.model)
            ]
            bfloat16.model(**encode(bfloat16, [prompt]), use_cache=False)
            for handle in handles:
                handle.remove()
            activation = torch.stack(seen).cpu()
            pooled = {"last": activation[:, -1], "max": activation.amax(1), "mean": activation.mean(1)}[pooling]
            rows.append(pooled.numpy())
    # The mean over tokens is formed in float32; the others, and all sums over prompts, are exact.
    rtol, atol = (1e-5, 1e-6) if pooling == "mean" else (1e-12, 1e-14)
    np.testing.assert_allclose(found.mean, np.mean(rows, axis=0), rtol=rtol, atol=atol)
    np.testing.assert_allclose(found.variance, np.var(rows, axis=0, ddof=1), rtol=rtol, atol=atol)


def test_hooks_keep_the_type_of_the_activations(bfloat16, some_neurons, prompts):
    types = set()
    blocks = mlp_blocks(bfloat16.model)
    with torch.inference_mode(), ablate(bfloat16, Ablation(some_neurons(bfloat16), "scale", 0.5)):
        handles = [
            block.down.register_forward_pre_hook(lambda module, inputs: types.add(inputs[0].dtype)) for block in blocks
        ]
        batch = encode(bfloat16, prompts)
        logits = bfloat16.model(**batch).logits
        pooled = pooled_activations(bfloat16, batch, "last")
        for handle in handles:
            handle.remove()
    assert types == {torch.bfloat16} == {logits.dtype}
    assert pooled.dtype == torch.float32


def test_weights_of_few_bits_are_not_trained(bfloat16, some_neurons):
    from safeneuron.prompts.pairs import PreferencePair
    from safeneuron.training.masked_dpo import train_masked_dpo

    with pytest.raises(UserError, match="Only float32 weights are trained"):
        train_masked_dpo(bfloat16, some_neurons(bfloat16), [PreferencePair("a", "b", "c")])


@pytest.mark.parametrize(
    ("have", "shown", "expected"),
    [
        ({"gpus": 0}, None, ("cpu", None)),
        ({"gpus": 2}, None, ("cuda:0", "0")),
        ({"gpus": 2}, "3,5", ("cuda:0", "3")),
        ({"gpus": 2, "SAFENEURON_DEVICE": "cuda:1", "SAFENEURON_LOAD": "bfloat16"}, "3,5", ("cuda:0", "5")),
        ({"gpus": 2, "SAFENEURON_DEVICE": "cuda:1"}, None, ("cuda:0", "1")),
    ],
)
def test_a_run_opens_everything_in_float32_on_one_device(machine, monkeypatch, have, shown, expected):
    machine(**have)
    # Set first, so that what the function sets is taken back after the test.
    for name in ("SAFENEURON_DEVICE", "SAFENEURON_LOAD", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, have.get(name, ""))
    if shown is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    device.in_float32_on_one_device()
    assert placement() == Placement(expected[0], "float32")
    assert device.os.environ.get("CUDA_VISIBLE_DEVICES") == expected[1]
