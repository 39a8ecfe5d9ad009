"""What all tests share: a workspace that is never the person's own, tiny models, and the default model.

The tiny models are built in memory, with random weights and a
byte-level tokenizer, so that the exact tests need no network and take milliseconds.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel

FAMILIES = ("llama", "mistral", "qwen2")
"""Those that every test of the core runs on; tests/models/test_families.py runs the exact ones on all."""
LAYERS, WIDTH, HIDDEN = 3, 40, 32
OWN_SETTINGS = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "phi3", "olmo2", "smollm3", "granite"), {"num_key_value_heads": 2}),
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8},
    "opt": {"init_std": 0.25},
}
"""What only some families' configs have."""
OWN_SETTINGS["gemma3"] = OWN_SETTINGS["gemma3_text"]
OTHER_PARTS = {
    "gemma3": {
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        "mm_tokens_per_image": 1,
    }
}
"""Of families whose language model is one part among others, what those are built from."""

CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)

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
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {text: number for number, text in enumerate(["<pad>", "<s>", "</s>"])}
    vocabulary |= {text: number for number, text in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()), start=3)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=CHAT_TEMPLATE
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_tiny(tokenizer_folder: Path) -> Callable[..., "LoadedModel"]:
    """Return a function that builds a new tiny model of a family: ``make_tiny(family, seed=0, **config)``."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from safeneuron.models.card import ModelCard
    from safeneuron.models.layout import layout_of, layout_of_config
    from safeneuron.models.loaded import LoadedModel

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)

    def make(family: str, seed: int = 0, dtype: torch.dtype = torch.float32, **overrides: Any) -> LoadedModel:
        settings = {
            "vocab_size": len(tokenizer),
            "hidden_size": HIDDEN,
            layout_of_config({"model_type": family}).d_mlp: WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            # Wide enough that activations and logits differ clearly between neurons and tokens.
            "initializer_range": 0.25,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            settings |= OWN_SETTINGS.get(family, {}) | overrides
            if family in OTHER_PARTS:
                settings = {"text_config": settings} | OTHER_PARTS[family]
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **settings))
            # Transformers makes every bias zero, and so no error in one would show.
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    torch.nn.init.normal_(parameter, std=0.25)
        model = model.to(dtype).eval()
        if dtype == torch.float64:
            model.model.rotary_emb = _exact_rotary_embedding(model.model.rotary_emb)
        layers, width = layout_of(model).shape(model.config)
        card = ModelCard(
            source=f"./tiny-{family}",
            title=f"tiny {family}",
            fingerprint=f"tiny-{family}-{seed}-{dtype}",
            n_layers=layers,
            d_mlp=width,
            origin="Random weights, made by the tests.",
            ready=True,
        )
        return LoadedModel(card=card, model=model, tokenizer=tokenizer)

    return make


def _exact_rotary_embedding(original: Any) -> Any:
    """Return the rotary embedding in float64.

    Transformers computes angles in float32 whatever the model's dtype, so that positions shifted by
    left padding differ by some 1e-7 and hide what float64 is there to show.
    """
    import torch

    class Exact(torch.nn.Module):
        def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            angles = position_ids[..., None].double() * original.inv_freq.double()
            both = torch.cat([angles, angles], dim=-1)
            return both.cos() * original.attention_scaling, both.sin() * original.attention_scaling

    return Exact()


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
    twins = PromptSet("twins", tuple(row.twin for row in chosen))
    monkeypatch.setattr(records.builtin, "twins", lambda part: twins)
    return chosen, benign
