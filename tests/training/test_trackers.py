"""TensorBoard, Weights & Biases and trackio are transformers' own integrations; a fake package stands for them."""

import os
import sys
import types
from importlib.machinery import ModuleSpec

import pytest

from safeneuron.errors import UserError
from safeneuron.neurons import NeuronSet
from safeneuron.prompts.pairs import PreferencePair
from safeneuron.training.config import dpo_config
from safeneuron.training.masked_dpo import train_masked_dpo
from safeneuron.training.settings import MaskedDPOSettings
from safeneuron.training.trackers import point_trackers, require_trackers


def test_an_unknown_one_is_refused():
    with pytest.raises(UserError, match="Nothing reports to 'tensorbord'; give one of tensorboard, wandb, trackio"):
        MaskedDPOSettings(report_to=["tensorbord"])
    assert MaskedDPOSettings(report_to=["wandb", "wandb"]).report_to == ("wandb",)


def test_one_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr("safeneuron.training.trackers.find_spec", lambda name: None)
    with pytest.raises(UserError, match="trackio cannot be reported to before it is installed: pip install trackio"):
        require_trackers(["trackio"])
    require_trackers([])


def test_a_persons_own_places_are_left(tmp_path, monkeypatch):
    for name in ("TENSORBOARD_LOGGING_DIR", "WANDB_DIR", "WANDB_PROJECT", "WANDB_NAME"):
        monkeypatch.setenv(name, "mine")
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_PROJECT", "the team's")
    point_trackers(tmp_path, "a run")
    assert os.environ["WANDB_PROJECT"] == "the team's"
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard")
    config = dpo_config(MaskedDPOSettings(), str(tmp_path), "cpu")
    assert (config.project, config.run_name) == ("the team's", "a run"), "trackio reads no variables"


class FakeWriter:
    """What transformers calls of TensorBoard's writer."""

    def __init__(self, log_dir):
        self.folder, self.logged = log_dir, []
        written.append(self)

    def add_scalar(self, name, value, step):
        self.logged.append((name, step))

    def __getattr__(self, name):
        return lambda *arguments, **more: None


written: list[FakeWriter] = []


def test_the_trainer_reports_to_the_named_tracker(make_tiny, tmp_path, monkeypatch):
    package, module = types.ModuleType("tensorboard"), types.ModuleType("torch.utils.tensorboard")
    package.__spec__, module.SummaryWriter = ModuleSpec("tensorboard", None), FakeWriter
    monkeypatch.setitem(sys.modules, "tensorboard", package)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "here"))
    written.clear()
    settings = MaskedDPOSettings(max_steps=2, batch_size=2, save_steps=0, report_to=("tensorboard",))
    require_trackers(settings.report_to)
    pairs = [PreferencePair(f"Question {number}?", "I cannot.", "Gladly.") for number in range(4)]
    loaded = make_tiny("llama")
    train_masked_dpo(loaded, NeuronSet("ORI", loaded.fingerprint, loaded.shape, frozenset(), {}), pairs, settings)
    (writer,) = written
    assert writer.folder == str(tmp_path / "here")
    assert [step for name, step in writer.logged if name == "train/loss"] == [1, 2]
