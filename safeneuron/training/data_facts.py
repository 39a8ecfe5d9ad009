"""What a run is trained on, told in figures: where the pairs come from, and how many there are of each kind."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from safeneuron.prompts.pair_files import load_pairs
from safeneuron.runs import store
from safeneuron.training.start import LEFT_OUT, PAIRS_FILE, PAIRS_FROM, TRAINED_ON


def data_facts(run_id: str) -> dict[str, Any] | None:
    """Return ``own`` (whether a person gave them), their ``files``, ``pairs`` by kind, ``left out`` by reason.

    None until the run has its pairs.
    """
    path = store.artifacts_folder(run_id) / PAIRS_FILE
    if not path.is_file():
        return None
    counted = store.has_artifact(run_id, f"{TRAINED_ON}.json")
    # Until the run has left out what is too long, those that it was given.
    kinds = store.get_json(run_id, TRAINED_ON) if counted else Counter(pair.kind for pair in load_pairs(path))
    return {
        "own": pair_sources(run_id) is not None,
        "files": list(pair_sources(run_id) or ()),
        "pairs": dict(kinds),
        "left out": store.get_json(run_id, LEFT_OUT) if store.has_artifact(run_id, f"{LEFT_OUT}.json") else {},
    }


def pair_sources(run_id: str) -> Sequence[str] | None:
    """Return the files that a run's own pairs came from; None where it builds its pairs."""
    if not store.has_artifact(run_id, f"{PAIRS_FROM}.json"):
        return None
    return store.get_json(run_id, PAIRS_FROM)
