"""One string names a model, in one way only."""

import pytest

from safeneuron.errors import UserError
from safeneuron.models.catalogue import model_card
from safeneuron.models.names import absolute, adapter_parts, hub_parts, is_gguf, is_path
from safeneuron.models.roots import check_roots


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("org/name", ("org/name", None)),
        ("Qwen/Qwen2.5-0.5B-Instruct@main", ("Qwen/Qwen2.5-0.5B-Instruct", "main")),
        ("org/name@refs/pr/4", ("org/name", "refs/pr/4")),
        ("org/name@" + "0" * 40, ("org/name", "0" * 40)),
        ("org/name-GGUF", ("org/name-GGUF", None)),
        ("org/model.gguf", None),
        ("a/b/c", None),
        ("./name", None),
        ("../name", None),
        ("/name", None),
        ("~/name", None),
        ("org/", None),
        ("org/..", None),
        ("org/name@../../x", None),
        ("gpt2", ("gpt2", None)),
        ("distilgpt2@main", ("distilgpt2", "main")),
        ("name.gguf", None),
        ("run:abc", None),
        ("org/name::./adapter", None),
        ("org/na me", None),
        ("örg/name", None),
    ],
)
def test_hub_names(name, parts):
    assert hub_parts(name) == parts


@pytest.mark.parametrize("name", ["./x", "../x", "/x", "~/x", "~", ".", "a/b/c", "a/", "x.gguf", "a/x.GGUF", "a//b"])
def test_paths(name):
    assert is_path(name)


def test_a_path_that_is_there_wins_over_what_its_signs_could_mean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a::b").mkdir()
    (tmp_path / "c#d").mkdir()
    (tmp_path / "a::b.gguf").write_bytes(b"")
    for name in ("./a::b", f"{tmp_path}/a::b", "./a::b.gguf", "a::b.gguf"):
        assert is_path(name) and adapter_parts(name) is None
        assert absolute(name) == str(tmp_path / name.rsplit("/", 1)[-1])
    assert is_gguf("a::b.gguf") and not is_gguf("a::c.gguf")
    assert adapter_parts("x::./a::b") == ("x", "./a::b")
    assert adapter_parts("./a::b::./c#d") == ("./a::b", "./c#d")
    assert adapter_parts("./a::c") == ("./a", "c")
    assert absolute("./c#d") == str(tmp_path / "c#d")


@pytest.mark.parametrize("name", ["", "x", "org/name", "org/name@main", "run:x/y", "a::./b", "./a.gguf::/b"])
def test_what_is_no_path(name):
    assert not is_path(name)


@pytest.mark.parametrize(
    "name",
    [
        "a" * 5000,
        "a/" * 5000,
        "./" + "a" * 300,
        "a" * 300 + ".gguf",
        "base::./" + "a" * 300,
        "./a#" + "b" * 300,
        "./" + "a" * 300 + "#pirate",
        "run:" + "a" * 5000,
        "org/" + "a" * 5000,
        "nul\0byte",
        "./nul\0byte",
        "./\udcff",
        "~nobody-at-all/x",
    ],
)
def test_an_odd_name_is_answered_in_a_sentence(home, name):
    for ask in (model_card, check_roots):
        try:
            ask(name)
        except UserError as error:
            assert len(str(error)) < 6000
        else:
            assert ask is check_roots, "there is no such model"


def test_a_long_name_is_not_repeated_at_length(home):
    with pytest.raises(UserError, match="'a{100}…' is no path .it is too long"):
        model_card("a" * 5000)


def test_an_adapter_is_split_at_the_last_sign():
    assert adapter_parts("org/name@main::./a") == ("org/name@main", "./a")
    assert adapter_parts("x::./a::/b") == ("x::./a", "/b")
    assert adapter_parts("run:x") is None


def test_a_folder_that_could_be_a_repository_is_refused(home, model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent.parent)
    name = f"{model_folder.parent.name}/{model_folder.name}"
    with pytest.raises(UserError, match=f"write ./{name} for the folder or {name}@main for the repository"):
        model_card(name)
    assert model_card(f"./{name}").title == "tiny-llama"


def test_a_folder_without_a_slash_is_refused(home, model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    with pytest.raises(UserError, match="write ./tiny-llama for the folder or tiny-llama@main for the repository"):
        model_card("tiny-llama")
    model_folder.rename(model_folder.with_name("tiny llama"))
    with pytest.raises(UserError, match="write it with a slash, ./tiny llama"):
        model_card("tiny llama")


def test_a_file_without_a_slash_is_refused(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="is a file here .*write ./notes.txt for the file"):
        model_card("notes.txt")


def test_an_embedded_models_name_is_clear_whatever_lies_here(home, model_folder, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    model_folder.rename(model_folder.with_name("smollm2-135m-safe"))
    assert model_card("smollm2-135m-safe").title == "SmolLM2-135M safe"
    assert model_card("./smollm2-135m-safe").shape == (3, 40)


def test_a_folder_with_the_signs_of_an_adapter_in_its_name_opens(home, model_folder):
    folder = model_folder.rename(model_folder.with_name("tiny::llama"))
    assert model_card(str(folder)).title == "tiny::llama"


def test_a_folder_with_a_model_and_an_adapter_is_refused(home, model_folder):
    (model_folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="holds a model and an adapter"):
        model_card(str(model_folder))


def test_a_name_with_full_paths_means_the_same_from_any_folder(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("./a/b") == f"{tmp_path}/a/b"
    assert absolute("./m.gguf::../c#pirate") == f"{tmp_path}/m.gguf::{tmp_path.parent}/c#pirate"
    for name in ("smollm2-135m-safe", "org/name@main", "run:0123#pirate"):
        assert absolute(name) == name
