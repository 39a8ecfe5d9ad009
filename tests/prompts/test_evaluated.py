"""Harmful prompts, benign ones and safe twins stay apart, in fixed proportions in a run."""

from safeneuron.prompts import builtin
from safeneuron.prompts.evaluated import NO_TWINS, built_in_prompts, run_prompts


def test_a_runs_prompts_keep_their_proportions():
    for limit, sizes in ((64, (64, 20, 20)), (4, (4, 2, 2))):
        found = run_prompts(limit)
        assert (len(found.harmful), len(found.benign), len(found.twins)) == sizes
        assert len(found) == sum(sizes)


def test_benign_prompts_are_no_twins():
    found = built_in_prompts().head(5)
    assert found.benign.prompts == builtin.benign("test").prompts[:5]
    assert found.twins.prompts == builtin.twins("test").prompts[:5]
    assert not set(found.benign.prompts) & set(found.twins.prompts)


def test_a_kind_without_prompts_is_left_out():
    found = built_in_prompts()
    assert list(found.by_kind()) == ["harmful", "benign", "twin"]
    assert list(type(found)(found.harmful, found.benign, NO_TWINS).by_kind()) == ["harmful", "benign"]
