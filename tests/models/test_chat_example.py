"""What a model reads is shown as it is, and what is unusual about it is said."""

import copy

import pytest

from safeneuron.models import chat_example as module
from safeneuron.models.catalogue import model_card
from safeneuron.models.chat_example import PROMPT, chat_example, example_of, keep_example, kept_example
from safeneuron.models.chat_format import ChatFormat, speaking, with_template
from safeneuron.models.chat_names import save_chat
from tests.models.test_chat_format import NO_SYSTEM, TURNS, adding_bos


def test_the_example_is_what_the_model_reads(llama):
    found = example_of(llama.tokenizer)
    assert found.text == f"<s>user: {PROMPT}\nassistant:"
    assert found.tokens == len(found.text) - len("<s>") + 1, "the tokenizer knows bytes"
    assert found.special == {"<s>": 1}
    assert found.counts() == f"{found.tokens} tokens, of them special: 1 × <s>"
    assert (found.chat, found.notes) == (ChatFormat(llama.tokenizer.chat_template), ())


def note(tokenizer, template=None, system=""):
    return " ".join(example_of(speaking(tokenizer, ChatFormat(template or "", system))).notes)


def test_what_is_unusual_is_said(llama):
    without = copy.copy(llama.tokenizer)
    without.chat_template = None
    assert "brings no chat template" in " ".join(example_of(with_template(without)).notes)
    assert "takes no system role" in note(llama.tokenizer, NO_SYSTEM, "Be brief.")
    assert note(llama.tokenizer, NO_SYSTEM) == note(llama.tokenizer, TURNS, "Be brief.") == ""
    assert "writes no <s>" in note(adding_bos(llama.tokenizer), TURNS)
    assert note(adding_bos(llama.tokenizer), "{{ bos_token }}" + TURNS) == ""
    assert "writes the date" in note(llama.tokenizer, "{{ strftime_now('%Y') }}" + TURNS)


def test_an_example_is_made_without_the_weights_and_once(home, model_folder, monkeypatch):
    save_chat("pirate", ChatFormat(system="You are a pirate."))
    cards = [model_card(str(model_folder) + name) for name in ("", "#pirate")]
    (model_folder / "model.safetensors").write_bytes(b"")
    assert kept_example(cards[0]) is None
    monkeypatch.setattr(module, "weights_folder", lambda card: model_folder)
    found = [chat_example(card) for card in cards]
    assert found[1].text == found[0].text.replace("<s>", "<s>system: You are a pirate.\n")
    monkeypatch.setattr(module, "tokenizer_of", lambda *_: pytest.fail("read twice"))
    assert [chat_example(card) for card in cards] == found == [kept_example(card) for card in cards]
    for path in (home / "chat" / "examples").iterdir():
        path.write_text('{"chat": {"templ')
    assert kept_example(cards[0]) is kept_example(cards[1]) is None


def test_a_model_that_is_made_in_memory_is_opened_for_its_example(home, model_folder, llama, monkeypatch):
    card = model_card(str(model_folder))
    monkeypatch.setattr(module, "weights_folder", lambda card: None)
    assert chat_example(card, lambda asked: llama if asked is card else None) == example_of(llama.tokenizer)


def test_examples_are_no_named_formats(home, llama):
    from safeneuron.models.chat_names import chat_names

    keep_example(llama.card, llama.tokenizer)
    assert chat_names() == []
