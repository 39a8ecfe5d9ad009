"""A path typed into a page stays inside the allowed folders; the command line goes anywhere."""

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card
from safeneuron.models.roots import check_roots


@pytest.fixture
def inside(home, tmp_path, monkeypatch):
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.setenv("SAFENEURON_ROOTS", str(folder))
    monkeypatch.chdir(folder)
    return folder


def test_what_lies_inside_may_be_opened(inside):
    for name in (".", "./x", str(inside / "a" / "b"), "x.gguf", f"{inside}/not/there.gguf"):
        check_roots(name)


@pytest.mark.parametrize(
    "name",
    ["/etc", "/etc/hostname", "/etc/not-there", "..", "../x", "./../x", "/x.gguf", "~/x", "smollm2-135m-safe::/etc"],
)
def test_what_lies_outside_is_refused_alike_there_or_not(inside, name):
    with pytest.raises(UserError, match="lies outside the folders that this page may open.*SAFENEURON_ROOTS"):
        check_roots(name)


def test_nothing_outside_is_read_before_it_is_refused(inside, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{ not json")
    with pytest.raises(UserError, match="lies outside"):
        check_roots(str(tmp_path))
    with pytest.raises(UserError, match="lies outside"):
        check_roots(f"{tmp_path}::{tmp_path}")


def test_a_link_is_followed_first(inside, tmp_path):
    (inside / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="lies outside"):
        check_roots("./link/x")
    (tmp_path / "back").symlink_to(inside)
    check_roots(str(tmp_path / "back"))


def test_a_name_that_only_begins_like_a_root_is_outside(inside):
    with pytest.raises(UserError, match="lies outside"):
        check_roots(f"{inside}-too")


@pytest.mark.parametrize("name", ["smollm2-135m-safe", "run:abc", "org/name", "org/name@main", "gpt5", ""])
def test_names_that_are_no_paths_pass(inside, name):
    check_roots(name)


def test_several_roots_and_the_default_ones(inside, tmp_path, monkeypatch):
    monkeypatch.setenv("SAFENEURON_ROOTS", f"{inside}:{tmp_path / 'other'}")
    check_roots(str(tmp_path / "other" / "x"))
    monkeypatch.delenv("SAFENEURON_ROOTS")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for allowed in ("~/x", str(tmp_path / "home" / "models"), "./x"):
        check_roots(allowed)
    with pytest.raises(UserError, match="lies outside"):
        check_roots("/etc/x")


def test_the_command_line_is_not_restricted(inside, model_folder):
    assert model_card(str(model_folder)).title == "tiny-llama"
