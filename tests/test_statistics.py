"""Statistics come back from disk as they went there, or say that they cannot be read."""

import numpy as np
import pytest

from safeneuron.errors import UserError
from safeneuron.statistics import ActivationStatistics, statistics_fingerprint


@pytest.fixture
def statistics():
    draw = np.random.default_rng(0)
    return ActivationStatistics(7, draw.normal(size=(3, 5)), draw.random((3, 5)), "max", "abc")


def test_they_survive_the_disk_bit_for_bit(statistics, tmp_path):
    statistics.save(tmp_path / "kept")
    found = ActivationStatistics.load(tmp_path / "kept")
    assert (found.count, found.pooling, found.fingerprint) == (7, "max", "abc")
    for name in ("mean", "variance"):
        assert getattr(found, name).dtype == np.float64
        np.testing.assert_array_equal(getattr(found, name), getattr(statistics, name))


def test_saving_again_replaces(statistics, tmp_path):
    statistics.save(tmp_path / "kept")
    statistics.save(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["statistics.safetensors", "statistics.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "other"])
def test_damaged_ones_are_named_with_what_to_do(statistics, tmp_path, name, damage):
    statistics.save(tmp_path / "kept")
    path = tmp_path / "kept" / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-20], "empty": b"", "other": b"{}"}[damage])
    with pytest.raises(UserError, match=f"{tmp_path / 'kept'}.*delete it and score again"):
        ActivationStatistics.load(tmp_path / "kept")


def test_the_name_depends_on_model_prompts_and_pooling_but_not_on_order():
    name = statistics_fingerprint("m", ["a", "b"], "last")
    assert statistics_fingerprint("m", ["b", "a"], "last") == name
    others = [("n", ["a", "b"], "last"), ("m", ["a", "c"], "last"), ("m", ["a", "b"], "max"), ("m", ["ab"], "last")]
    assert name not in {statistics_fingerprint(*other) for other in others}
