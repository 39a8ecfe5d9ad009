"""``MODEL#NAME``: the same weights, spoken to in a kept format, with a fingerprint of their own."""

import json
import subprocess
import sys

import pytest

from safeneuron.errors import UserError
from safeneuron.models.card import CARD
from safeneuron.models.catalogue import DEFAULT_MODEL, ancestors, model_card, open_model, weights_folder
from safeneuron.models.chat import templated
from safeneuron.models.chat_format import ChatFormat
from safeneuron.models.chat_names import chat_names, delete_chat, read_chat, save_chat, split, spoken_as
from safeneuron.models.shelf import ModelShelf
from safeneuron.neurons import NeuronSet
from safeneuron.selection import checked

PIRATE = ChatFormat(system="You are a pirate.")


def test_a_format_may_not_write_a_token_that_the_model_has_no_embedding_for(home, model_folder, llama):
    loaded = open_model(str(model_folder))
    loaded.tokenizer.add_tokens(["<turn>"], special_tokens=True)
    save_chat("turns", ChatFormat("<turn>" + loaded.tokenizer.chat_template))
    card = model_card(f"{model_folder}#turns")
    with pytest.raises(UserError, match="The chat format of .*#turns does not fit.*the id 259, the embedding has 259"):
        spoken_as(loaded, card)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("smollm2-135m-safe", ("smollm2-135m-safe", "")),
        ("smollm2-135m-safe#pirate", ("smollm2-135m-safe", "pirate")),
        ("run:0123#a_b-C1", ("run:0123", "a_b-C1")),
        ("org/name@v1#pirate", ("org/name@v1", "pirate")),
        ("base+./adapter#pirate", ("base+./adapter", "pirate")),
        ("base#pirate+./adapter", ("base#pirate+./adapter", "")),
        ("#pirate", ("#pirate", "")),
        ("model#", ("model#", "")),
        ("model#../../etc", ("model#../../etc", "")),
        ("~nobody-at-all/x#pirate", ("~nobody-at-all/x", "pirate")),
    ],
)
def test_the_name_of_the_format_is_parted_from_the_models(source, parts):
    assert split(source) == parts


def test_a_folder_with_the_mark_in_its_name_is_a_folder(model_folder, home):
    marked = model_folder.rename(model_folder.with_name("c#sharp"))
    assert model_card(str(marked)).title == "c#sharp"
    save_chat("pirate", PIRATE)
    assert model_card(f"{marked}#pirate").title == "c#sharp as pirate"


def test_a_format_is_kept_listed_and_forgotten(home):
    assert chat_names() == []
    assert save_chat("pirate", PIRATE) is False
    assert save_chat("brief", ChatFormat("{{ messages[0]['content'] }}", "Grüße")) is False
    assert save_chat("pirate", PIRATE) is False, "the same again replaces nothing"
    assert save_chat("pirate", ChatFormat(system="Arr.")) is True
    assert chat_names() == ["brief", "pirate"]
    assert read_chat("pirate") == ChatFormat(system="Arr.")
    delete_chat("pirate")
    assert chat_names() == ["brief"]
    for ask in (read_chat, delete_chat):
        with pytest.raises(UserError, match="no chat format 'pirate'; give one of brief, or save it"):
            ask("pirate")


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", "a/b", "x" * 41, "a.b", "ü"])
def test_a_name_that_is_none_is_refused(home, name):
    with pytest.raises(UserError, match="cannot name a chat format; use|chat format needs a name; use"):
        save_chat(name, PIRATE)


def test_a_format_that_changes_nothing_is_refused(home):
    with pytest.raises(UserError, match="needs a system prompt or a template"):
        save_chat("plain", ChatFormat())


def test_a_damaged_format_says_so(home):
    save_chat("pirate", PIRATE)
    for text in ("{ not json", '{"other": 1}', "[]"):
        (home / "chat" / "pirate.json").write_text(text)
        with pytest.raises(UserError, match="pirate.json is no chat format"):
            read_chat("pirate")
    assert save_chat("pirate", PIRATE) is True and read_chat("pirate") == PIRATE
    (home / "chat" / "pirate.json").write_text("{ not json")
    delete_chat("pirate")
    assert chat_names() == []


def test_the_card_is_the_plain_models_with_another_fingerprint(home):
    save_chat("pirate", PIRATE)
    plain, card = model_card(DEFAULT_MODEL), model_card(f"{DEFAULT_MODEL}#pirate")
    assert (card.source, card.title) == (f"{DEFAULT_MODEL}#pirate", f"{plain.title} as pirate")
    assert (card.shape, card.ready, card.parent) == (plain.shape, plain.ready, plain.source)
    assert weights_folder(card) == weights_folder(plain)
    assert next(ancestors(card)) == plain.fingerprint
    save_chat("other", PIRATE)
    save_chat("loud", ChatFormat(system="You are a loud pirate."))
    prints = [model_card(f"{DEFAULT_MODEL}#{name}").fingerprint for name in ("pirate", "other", "loud")]
    assert prints[0] == prints[1] == card.fingerprint, "the wording counts, not its name"
    assert len({plain.fingerprint, *prints}) == 3


def test_another_wording_under_the_same_name_is_another_model(home):
    save_chat("pirate", PIRATE)
    before = model_card(f"{DEFAULT_MODEL}#pirate")
    save_chat("pirate", ChatFormat(system="Arr."))
    after = model_card(f"{DEFAULT_MODEL}#pirate")
    assert before.fingerprint != after.fingerprint
    assert (before.chat, after.chat) == (PIRATE, ChatFormat(system="Arr."))


def test_neuron_sets_of_the_plain_model_are_accepted(home):
    save_chat("pirate", PIRATE)
    plain, card = model_card(DEFAULT_MODEL), model_card(f"{DEFAULT_MODEL}#pirate")
    found = NeuronSet("mine", plain.fingerprint, plain.shape, frozenset({(0, 1)}))
    assert checked(found, card.fingerprint, card.shape, ancestors(card)) is found


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"{DEFAULT_MODEL}#nobody", "no chat format 'nobody'"),
        ("gpt5#pirate", "no model 'gpt5'"),
        ("run:0123#pirate", "no finished run '0123'"),
        (f"{DEFAULT_MODEL}#pirate#pirate", "names two chat formats"),
    ],
)
def test_a_wrong_part_is_named(home, source, message):
    save_chat("pirate", PIRATE)
    with pytest.raises(UserError, match=message):
        model_card(source)


def test_the_model_reads_the_system_prompt(home, model_folder):
    save_chat("pirate", PIRATE)
    loaded = open_model(f"{model_folder}#pirate")
    assert templated(loaded, "Hi") == "<s>system: You are a pirate.\nuser: Hi\nassistant:"
    assert loaded.fingerprint == model_card(f"{model_folder}#pirate").fingerprint
    assert templated(open_model(str(model_folder)), "Hi") == "<s>user: Hi\nassistant:"


def test_a_runs_model_is_spoken_to_so_too(home, model_folder):
    save_chat("pirate", PIRATE)
    run = "0123456789abcdef" * 2
    folder = home / "models" / run
    folder.mkdir(parents=True)
    facts = {"title": "trained", "fingerprint": "t", "n_layers": 3, "d_mlp": 40, "origin": "A run."}
    (folder / CARD).write_text(json.dumps(facts))
    assert model_card(f"run:{run[:8]}#pirate").source == f"run:{run}#pirate"


def test_the_shelf_holds_the_weights_once(home, model_folder):
    save_chat("pirate", PIRATE)
    plain, card = model_card(str(model_folder)), model_card(f"{model_folder}#pirate")
    models = ModelShelf(1)
    assert not models.holds(card)
    spoken = models.get(card)
    assert models.holds(card) and models.holds(plain)
    assert spoken.model is models.get(plain).model and spoken.lock is models.get(plain).lock
    assert (spoken.fingerprint, models.get(plain).fingerprint) == (card.fingerprint, plain.fingerprint)
    assert "pirate" in templated(spoken, "Hi") and "pirate" not in templated(models.get(plain), "Hi")


def test_a_card_keeps_its_wording_when_another_session_saves_a_new_one(home, model_folder):
    save_chat("pirate", PIRATE)
    card, models = model_card(f"{model_folder}#pirate"), ModelShelf()
    save_chat("pirate", ChatFormat(system="Arr."))
    loaded = models.get(card)
    assert loaded.fingerprint == card.fingerprint and "You are a pirate." in templated(loaded, "Hi")


def test_cards_with_a_format_need_no_torch(home):
    save_chat("pirate", PIRATE)
    code = (
        "import sys; from safeneuron.models.catalogue import model_card; "
        f"assert model_card('{DEFAULT_MODEL}#pirate').chat.system == 'You are a pirate.'; "
        "assert not {'torch', 'transformers', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
