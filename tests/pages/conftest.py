"""Pages over a tiny model with kept statistics, so that what is drawn needs neither network nor torch."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from safeneuron.models.card import CARD
from safeneuron.models.checksums import write_sums
from safeneuron.neurons import NeuronSet
from safeneuron.scoring import default_prompts
from safeneuron.sets.kept import keep_set
from safeneuron.statistics import ActivationStatistics, statistics_fingerprint

ROOT = Path(__file__).parents[2]
PLANTED = {(0, 1), (0, 2), (1, 30), (2, 7), (2, 8)}
"""The neurons of the tiny model whose statistics say that they carry safety, by both scores."""


def keep_statistics(home: Path, model: str, shape: tuple[int, int] = (3, 40), planted: set = PLANTED) -> None:
    """Write statistics of a model in which exactly the planted neurons are above both thresholds."""
    for prompts, shift in zip(default_prompts(), (5.0, 0.0), strict=True):
        mean = np.random.default_rng(0).standard_normal(shape) * 0.1
        for neuron in planted:
            mean[neuron] += shift
        name = statistics_fingerprint(model, prompts.prompts, "last")
        statistics = ActivationStatistics(len(prompts), mean, np.ones(shape), "last", name)
        statistics.save(home / "observations" / "activations" / name)


@pytest.fixture(scope="session")
def tiny_folder(make_tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that pages can open, with safeneuron's card, so that its fingerprint is known."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny = make_tiny("llama")
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    facts = {"title": "tiny", "fingerprint": "tiny", "n_layers": 3, "d_mlp": 40, "origin": "Random weights."}
    (folder / CARD).write_text(json.dumps(facts))
    write_sums(folder)
    return folder


@pytest.fixture
def tiny_model(tiny_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The tiny model's source, in a workspace that holds its statistics."""
    import streamlit as st

    st.cache_resource.clear()
    folder = home / "tiny"
    shutil.copytree(tiny_folder, folder)
    keep_statistics(home, "tiny")
    return str(folder)


@pytest.fixture
def visit(tiny_model: str) -> Callable[..., AppTest]:
    """Return a function that opens a page, on the tiny model: ``visit("ablation")``, ``visit(model="gpt5")``."""

    def open_page(page: str = "neurons", **parameters: str | None) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
        # Thresholds for a layer of 40 neurons, in which no z can reach the default model's.
        for key, value in ({"model": tiny_model, "tau_ES": "2", "tau_SAS": "2.5"} | parameters).items():
            if value is not None:
                at.query_params[key] = value
        at.run()
        if page != "neurons":
            at.switch_page(f"pages/{page}.py").run()
        return at

    return open_page


def told(at: AppTest, key: str) -> Any:
    """Return the menu that shows what holds now, whatever that is (:mod:`safeneuron.ui.told_menu`)."""
    (menu,) = [found for found in at.selectbox if (found.key or "").startswith(f"told_{key}: ")]
    return menu


@pytest.fixture
def metric() -> Callable[[AppTest, str], str]:
    """Return a function that reads the metric whose label starts so."""

    def read(at: AppTest, label: str) -> str:
        return next(found.value for found in at.metric if found.label.startswith(label))

    return read


@pytest.fixture
def short_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the built-in classes be short, so that a tiny model scores them in moments; named before ``visit``."""
    from safeneuron.prompts import builtin
    from safeneuron.prompts.promptset import PromptSet

    for name, count in (("harmful", 6), ("benign", 8), ("twins", 7)):
        whole = getattr(builtin, name)
        monkeypatch.setattr(
            builtin, name, lambda part, whole=whole, count=count: PromptSet(name, whole(part).prompts[:count])
        )


@pytest.fixture
def second_model(home: Path, tiny_folder: Path) -> str:
    """A finished run whose model has the tiny one's weights, and statistics in which other neurons stand out."""
    folder = home / "models" / ("a" * 32)
    shutil.copytree(tiny_folder, folder)
    facts = json.loads((folder / CARD).read_text()) | {"title": "tiny, trained", "fingerprint": "trained"}
    (folder / CARD).write_text(json.dumps(facts))
    write_sums(folder)
    keep_statistics(home, "trained", planted={(1, 1)})
    return "run:aaaaaaaa"


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which a test fails if it asks for a model."""
    from safeneuron.models.shelf import ModelShelf

    return lambda: monkeypatch.setattr(ModelShelf, "get", lambda *of, **how: pytest.fail("the model was asked for"))


@pytest.fixture
def mine(tiny_model):
    """A kept set of the tiny model: one of its planted neurons, and another."""
    found = NeuronSet("x", "tiny", (3, 40), frozenset({(0, 1), (2, 39)}), {"typed": "0:1,2:39"})
    return keep_set(found, "my set", "tiny")


@pytest.fixture
def launched(monkeypatch):
    """Start no process of a training run; return what would have been started."""
    from safeneuron.training import start

    calls = []
    monkeypatch.setattr(start, "launch", lambda *arguments: calls.append(arguments))
    return calls


def pairs_file(*rows: dict) -> bytes:
    """Return a file of preference pairs, as a person uploads it."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def read(tiny_model, home):
    """What the tiny model would have read of the built-in prompts, in which the planted neurons stand out."""
    from safeneuron.overlap.material import material_of
    from tests.pages.overlap_readings import keep_records

    keep_records("tiny")
    return material_of("tiny")
