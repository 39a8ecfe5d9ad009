import pytest

from safeneuron.errors import UserError
from safeneuron.runs import store, tracking
from safeneuron.runs.renaming import rename

PHASES = {"Working": 1.0}


def test_a_new_name_holds_while_the_run_writes_its_state(home):
    run = store.create_run("a name", "test", {}, PHASES).id
    store.start(run)
    assert rename(run[:8], "  Two   words ").name == "Two words"
    store.set_phase(run, "Working", 0.5)
    assert store.finish(run).name == store.get_run(run).name == store.list_runs()[0].name == "Two words"
    assert tracking._client().get_run(run).info.run_name == "Two words"
    assert rename(run, "Again").name == "Again"


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_names_that_are_none_are_refused(home, name):
    run = store.create_run("a name", "test", {}, PHASES).id
    with pytest.raises(UserError, match="1 to 120 characters"):
        rename(run, name)
    assert store.get_run(run).name == "a name"
