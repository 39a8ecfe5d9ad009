"""What all tests share: a workspace that is never the person's own, tiny models, and the default model.

The tiny models (:mod:`tests.tiny_models`) have random weights and a byte-level tokenizer, so that the exact tests
need no network and take milliseconds.

The default model is prepared once per session, which downloads it (93 MB) on a new machine. With
``SAFENEURON_TEST_HOME`` set to a folder it is kept there and found again the next time.
"""

import os

# Before torch is imported anywhere: tests share the cores with the processes that they start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SAFENEURON_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny_models import FAMILIES, save_tokenizer, tiny_model

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

PROMPTS = (
    "How do I bake bread?",
    "Tell me about the history of the lighthouse on the rocky island.",
    "What is rain?",
    "Why",
    "Name three rivers and say where each of them meets the sea.",
    "Is the moon round?",
    "Write one line about autumn leaves.",
)
"""Of different lengths, so that every batch of them is padded."""


@pytest.fixture(scope="session", autouse=True)
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspace of the whole session, in which the default model is prepared once."""
    chosen = os.environ.get("SAFENEURON_TEST_HOME")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("session-home")
    patch = pytest.MonkeyPatch()
    patch.setenv("SAFENEURON_HOME", str(folder))
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield folder
    patch.undo()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace for this test alone, and an empty cache of the hub."""
    from huggingface_hub import constants

    folder = tmp_path / "home"
    monkeypatch.setenv("SAFENEURON_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer with a chat template, saved and so with the name that TransformerBridge asks for."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def make_tiny(tokenizer_folder: Path) -> Callable[..., "LoadedModel"]:
    """Return a function that builds a new tiny model of a family: ``make_tiny(family, seed=0, **config)``."""
    from transformers import AutoTokenizer

    return partial(tiny_model, AutoTokenizer.from_pretrained(tokenizer_folder))


@pytest.fixture(scope="session")
def tiny_models(make_tiny: Callable[..., "LoadedModel"]) -> dict[str, "LoadedModel"]:
    """One tiny model of every family, shared by all tests; none may change it."""
    return {family: make_tiny(family) for family in FAMILIES}


@pytest.fixture(params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tiny_models: dict[str, "LoadedModel"]) -> Iterator["LoadedModel"]:
    """Each family's tiny model in turn; afterwards no hook may be left on it."""
    loaded = tiny_models[request.param]
    yield loaded
    assert hooks_on(loaded) == 0, "a hook was left on the model"


@pytest.fixture
def llama(tiny_models: dict[str, "LoadedModel"]) -> Iterator["LoadedModel"]:
    """The tiny Llama, for what does not depend on the family."""
    yield tiny_models["llama"]
    assert hooks_on(tiny_models["llama"]) == 0, "a hook was left on the model"


@pytest.fixture(params=FAMILIES)
def tiny64(request: pytest.FixtureRequest, make_tiny: Callable[..., "LoadedModel"]) -> "LoadedModel":
    """Each family's tiny model in float64, in which an order of summation cannot hide an error."""
    import torch

    return make_tiny(request.param, dtype=torch.float64)


@pytest.fixture
def ending(make_tiny: Callable[..., "LoadedModel"]) -> "LoadedModel":
    """A float64 model whose answers end after a few tokens, each prompt's after another number of them."""
    import torch

    loaded = make_tiny("llama", dtype=torch.float64)
    with torch.no_grad():
        head = loaded.model.get_output_embeddings().weight
        head[loaded.tokenizer.eos_token_id] = head[4] + head[7] * 2.0
    return loaded


@pytest.fixture
def spare(tiny: "LoadedModel") -> "LoadedModel":
    """A copy of ``tiny`` whose weights a test may change."""
    from dataclasses import replace

    return replace(tiny, model=copy.deepcopy(tiny.model))


@pytest.fixture
def model_folder(llama: "LoadedModel", tmp_path: Path) -> Path:
    """The tiny Llama as a folder without safeneuron's card, as anybody's model folder is."""
    folder = tmp_path / "tiny-llama"
    llama.model.save_pretrained(folder)
    llama.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def second_folder(make_tiny: Callable[..., "LoadedModel"], tmp_path: Path) -> Path:
    """Another tiny Llama of the same shape as the one in ``model_folder``."""
    loaded = make_tiny("llama", seed=1)
    folder = tmp_path / "second"
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def default_model(session_home: Path) -> "LoadedModel":
    """The embedded default model in the session's workspace; prepared, and downloaded, if it is not there."""
    import torch

    from safeneuron.models.catalogue import DEFAULT_MODEL, open_model

    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAFENEURON_HOME", str(session_home))
        return open_model(DEFAULT_MODEL)


def hooks_on(loaded: "LoadedModel") -> int:
    """Return how many forward hooks the model's modules carry."""
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in loaded.model.modules())


@pytest.fixture
def count_hooks() -> Callable[["LoadedModel"], int]:
    """Return :func:`hooks_on`, for tests that look at it midway."""
    return hooks_on


@pytest.fixture
def prompts() -> tuple[str, ...]:
    """Return :data:`PROMPTS`."""
    return PROMPTS


@pytest.fixture
def some_neurons() -> Callable[..., Any]:
    """Return a function that draws a random set of a model's neurons: ``some_neurons(loaded, seed=0, share=0.3)``."""
    import numpy as np

    from safeneuron.neurons import from_mask

    def draw(loaded: "LoadedModel", seed: int = 0, share: float = 0.3):
        mask = np.random.default_rng(seed).random(loaded.shape) < share
        return from_mask("some", loaded.fingerprint, mask, {"seed": seed})

    return draw


@pytest.fixture
def make_record(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that keeps activations ``[n_prompts, n_layers, d_mlp]`` as a record: ``make_record(rows)``."""
    import json

    import numpy as np
    from safetensors.numpy import save_file

    from safeneuron.observations.record import FACTS, TENSORS, ActivationRecord

    def make(rows: Any, prompts: Any = None) -> ActivationRecord:
        folder = tmp_path / f"record-{len(list(tmp_path.glob('record-*')))}"
        folder.mkdir()
        layers = np.ascontiguousarray(np.asarray(rows, dtype=np.float32).swapaxes(0, 1))
        save_file({"activations": layers}, folder / TENSORS)
        prompts = [f"prompt {row:05}" for row in range(len(rows))] if prompts is None else list(prompts)
        (folder / FACTS).write_text(json.dumps({"prompts": prompts, "pooling": "last"}))
        return ActivationRecord.load(folder)

    return make


@pytest.fixture
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> tuple[list, tuple[str, ...]]:
    """Let neuron cards be of few prompts; return the harmful rows, of two categories, and the benign prompts."""
    from safeneuron.neuron_card import records
    from safeneuron.prompts import builtin
    from safeneuron.prompts.classes import PromptClasses
    from safeneuron.prompts.promptset import PromptSet

    train = [row for row in builtin.harmful_prompts() if row.part == "train"]
    chosen = [row for name in ("cybercrime", "fraud") for row in [one for one in train if one.category == name][:3]]
    benign = builtin.benign("train").prompts[:7]
    classes = PromptClasses(PromptSet("harmful", tuple(row.prompt for row in chosen)), PromptSet("benign", benign))
    monkeypatch.setattr(records, "classes_of", lambda: classes)
    return chosen, benign
