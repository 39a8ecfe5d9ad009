"""Every family's tiny model, for the tests that run on all of them."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny_gguf import write_gguf
from tests.tiny_models import CASES

if TYPE_CHECKING:
    from safeneuron.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def models(make_tiny: Callable[..., "LoadedModel"]) -> dict[str, "LoadedModel"]:
    """One tiny model of every case; none may be changed."""
    return {name: make_tiny(family, **settings) for name, (family, settings) in CASES.items()}


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    """Each case's name in turn."""
    return request.param


@pytest.fixture
def model(
    models: dict[str, "LoadedModel"], name: str, count_hooks: Callable[["LoadedModel"], int]
) -> Iterator["LoadedModel"]:
    """Each case's tiny model in turn; afterwards no hook may be left on it."""
    yield models[name]
    assert count_hooks(models[name]) == 0, "a hook was left on the model"


@pytest.fixture
def changeable(model: "LoadedModel") -> "LoadedModel":
    """A copy of ``model`` whose weights a test may change."""
    return replace(model, model=copy.deepcopy(model.model))


@pytest.fixture(scope="module")
def written(make_tiny: Callable[..., "LoadedModel"], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama as a GGUF file; tests copy it before they damage it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(make_tiny("llama"), path)
    return path


@pytest.fixture
def file(written: Path, tmp_path: Path, home: Path) -> Path:
    """A copy of the GGUF file for this test alone."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(written.read_bytes())
    return path
