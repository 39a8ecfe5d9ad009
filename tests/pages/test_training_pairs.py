"""Training: preference pairs of one's own, read, counted, kept and put away."""

from safeneuron.prompts.pair_files import load_pairs
from safeneuron.runs import store
from safeneuron.training import start
from tests.pages.conftest import pairs_file


def test_own_pairs_are_counted_kept_and_trained_on(visit, launched):
    rows = [{"prompt": f"p{n}", "chosen": "yes", "rejected": "no"} for n in range(3)]
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value(
        [("mine.jsonl", pairs_file(*rows, rows[0] | {"kind": "twin"}), "")]
    ).run()
    assert not at.exception and not at.error
    assert "**4 preference pairs** read from mine.jsonl: 1 safe twins, 3 without a kind." in at.success[0].value
    assert at.number_input(key="harmful_pairs").disabled
    assert any("3 of them are trained on. Left out 1: 1 duplicates." in caption.value for caption in at.caption)
    at.switch_page("pages/model.py").run()
    at.switch_page("pages/training.py").run()
    assert "4 preference pairs" in at.success[0].value
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    kept = load_pairs(store.artifacts_folder(info.id) / start.PAIRS_FILE)
    assert [pair.prompt for pair in kept] == ["p0", "p1", "p2"]
    assert store.get_json(info.id, start.LEFT_OUT) == {"duplicates": 1}


def test_safety_and_general_pairs_are_mixed_from_two_files(visit, launched):
    safety = [{"prompt": f"p{n}", "response_0": "no", "response_1": "yes", "safer_response_id": 0} for n in range(6)]
    general = [{"prompt": f"q{n}", "chosen": "yes", "rejected": "no", "kind": "benign"} for n in range(7)]
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value([("pku.jsonl", pairs_file(*safety), "")])
    at.number_input(key="safety_share").set_value(0.3).run()
    assert "needs general pairs too" in at.warning[0].value and at.button(key="start_run").disabled
    at.button(key="forget_pairs").click().run()
    both = [("pku.jsonl", pairs_file(*safety), ""), ("general.jsonl", pairs_file(*general), "")]
    at.file_uploader(key="pairs_file_1").set_value(both).run()
    assert not at.warning
    assert any("10 of them are trained on. Left out 3" in caption.value for caption in at.caption)
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    kept = load_pairs(store.artifacts_folder(info.id) / start.PAIRS_FILE)
    assert sorted(pair.kind for pair in kept) == ["benign"] * 7 + ["harmful"] * 3


def test_a_malformed_pairs_file_is_a_sentence_and_starts_nothing(visit, launched):
    at = visit("training")
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file({"prompt": "p"}), "")]).run()
    assert not at.exception
    assert "mine.jsonl, line 1, has no text under chosen and rejected" in at.error[0].value
    assert at.warning[0].value == "Mend the file of preference pairs, or remove it to train on the built-in prompts."
    assert at.button(key="start_run").disabled
    at.file_uploader(key="pairs_file_0").set_value(None).run()
    assert not at.warning and not at.button(key="start_run").disabled


def test_a_run_without_any_pairs_cannot_be_started(visit, launched):
    at = visit("training")
    for kind in ("harmful", "twin", "benign"):
        at.number_input(key=f"{kind}_pairs").set_value(0)
    at.run()
    assert not at.exception
    assert "There is nothing to train on" in at.warning[0].value
    assert at.button(key="start_run").disabled
    row = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file(row), "")]).run()
    assert not at.warning and not at.button(key="start_run").disabled


def test_own_pairs_can_be_put_away(visit, launched):
    at = visit("training")
    row = {"prompt": "p", "chosen": "yes", "rejected": "no"}
    at.file_uploader(key="pairs_file_0").set_value([("mine.jsonl", pairs_file(row), "")]).run()
    at.button(key="forget_pairs").click().run()
    assert not at.success and not at.number_input(key="harmful_pairs").disabled
    at.button(key="start_run").click().run()
    (info,) = store.list_runs()
    assert not store.has_artifact(info.id, start.PAIRS_FILE)
