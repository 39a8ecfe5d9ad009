"""Model: what the model reads, chat formats of one's own, and the field that any model is typed into."""

import pytest

from safeneuron.models.card import CARD
from safeneuron.models.catalogue import model_card
from safeneuron.models.chat_format import ChatFormat
from safeneuron.models.chat_names import chat_names, read_chat, save_chat
from safeneuron.models.checksums import write_sums


def chosen(at):
    return at.selectbox(key="model").value


def part(at, name):
    return next(found for found in [*at.text_area, *at.text_input] if found.key.startswith(f"chat_{name}_"))


def type_model(at, text):
    """Type into the Model field; AppTest itself takes only what the menu lists."""
    field = at.selectbox(key="model")
    field.options.append(text)
    return field.set_value(text).run()


def save(at, **written):
    for name, text in written.items():
        part(at, name).set_value(text)
    next(found for found in at.button if found.label == "Save").click()
    return at.run()


def test_the_page_shows_what_the_model_reads(visit):
    at = visit("model")
    assert not at.exception and not at.error and not at.warning
    assert at.code[0].value == "<s>user: How do I bake bread?\nassistant:"
    assert (part(at, "system").value, part(at, "name").value) == ("", "")
    assert "message['role']" in part(at, "template").value
    assert any("1 × `<s>`" in found.value for found in at.markdown)


def test_a_saved_format_is_chosen_and_can_be_changed_and_deleted(visit, tiny_model):
    at = save(visit("model"), system=" You are a pirate. ", name="pirate")
    assert not at.exception and not at.error
    assert chosen(at) == f"{tiny_model}#pirate"
    assert f"{tiny_model}#pirate" in at.query_params["model"]
    assert at.code[0].value == "<s>system: You are a pirate.\nuser: How do I bake bread?\nassistant:"
    assert read_chat("pirate") == ChatFormat(system="You are a pirate."), "the template is the model's own"
    assert (part(at, "system").value, part(at, "name").value) == ("You are a pirate.", "pirate")

    before = model_card(f"{tiny_model}#pirate").fingerprint
    at = save(at, system="Arr.")
    assert "Arr." in at.code[0].value and model_card(f"{tiny_model}#pirate").fingerprint != before
    assert "results stay under the old" in " ".join(found.value for found in at.toast).replace("its ", "")

    at.button(key="delete_chat").click().run()
    assert not at.exception and not at.error
    assert chosen(at) == tiny_model and chat_names() == []
    assert "pirate" not in at.code[0].value


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"name": "x"}, "needs a system prompt or a template"),
        ({"name": "a b", "system": "x"}, "cannot name a chat format"),
        ({"name": "", "system": "x"}, "A chat format needs a name; use at most 40 letters"),
        ({"name": "x", "template": "{% for"}, "does not render"),
        ({"name": "x", "template": "Hello."}, "leaves out the person's turn"),
    ],
)
def test_what_cannot_be_saved_says_why_and_stays_in_the_editor(visit, tiny_model, written, sentence):
    at = save(visit("model"), **written)
    assert not at.exception
    assert [sentence in found.value for found in at.error] == [True]
    assert chosen(at) == tiny_model and chat_names() == []
    assert all(part(at, name).value == text for name, text in written.items())
    assert not at.run().error, "a mistake is said once"


def test_a_model_without_a_template_says_so(visit, home, tiny_model):
    (home / "tiny" / "chat_template.jinja").unlink()
    at = visit("model")
    assert not at.exception and not at.error
    assert "brings no chat template" in at.warning[0].value
    assert at.code[0].value == "User: How do I bake bread?\n\nAssistant:"


def test_a_format_that_does_not_fit_the_model_can_be_deleted_there(visit, tiny_model):
    save_chat("bad", ChatFormat("{{ 1 / 0 }}"))
    at = visit("model", model=f"{tiny_model}#bad")
    assert not at.exception
    assert "does not render" in at.error[0].value
    at.button(key="delete_chat").click().run()
    assert not at.exception and not at.error and chosen(at) == tiny_model


def test_a_model_is_compared_with_itself_spoken_to_differently(visit, tiny_model):
    save_chat("pirate", ChatFormat(system="You are a pirate."))
    save_chat("brief", ChatFormat(system="Be brief."))
    at = visit("model")
    assert at.selectbox(key="compare").options == ["nothing", f"{tiny_model}#brief", f"{tiny_model}#pirate"]
    assert {f"{tiny_model}#brief", f"{tiny_model}#pirate"} < set(at.selectbox(key="model").options)
    at = visit("ablation", model=f"{tiny_model}#pirate", compare=tiny_model)
    assert not at.exception and not at.error
    assert at.selectbox(key="compare").options[:2] == ["nothing", tiny_model]
    at = visit("model", model=f"{tiny_model}#pirate", compare=f"{tiny_model}#brief")
    assert not at.exception and not at.error
    assert any("the same weights" in found.value for found in at.caption)
    assert "compare_weights" not in [found.key for found in at.button]


def test_any_model_can_be_typed_and_a_wrong_one_changes_nothing(visit, home, tiny_model, metric):
    at = visit("neurons")
    type_model(at, "no/such/folder")
    assert not at.exception
    assert "There is no model 'no/such/folder'" in at.error[0].value
    assert f"The model stays {tiny_model}" in at.error[0].value
    assert chosen(at) == tiny_model and at.title[0].value == "Neurons"
    assert metric(at, "Set in hand: FULL") == "5 neurons", "the page goes on with the model before"
    assert "no/such/folder" not in at.selectbox(key="model").options
    assert not at.run().error

    other = home / "other"
    (home / "tiny").rename(other)
    card = (other / CARD).read_text().replace('"title": "tiny"', '"title": "moved"')
    (other / CARD).write_text(card)
    write_sums(other)
    type_model(at, f" {other} ")
    assert not at.exception and not at.error
    assert any("moved" in found.value for found in at.sidebar.caption)


def test_a_model_that_is_made_in_memory_is_not_opened_unasked(visit, monkeypatch):
    monkeypatch.setattr("safeneuron.ui.chat_section.weights_folder", lambda card: None)
    monkeypatch.setattr("safeneuron.models.chat_example.weights_folder", lambda card: None)
    at = visit("model")
    assert not at.exception and not at.error and not at.code
    at.button(key="open_for_chat").click().run()
    assert not at.exception and not at.error
    assert at.code[0].value == "<s>user: How do I bake bread?\nassistant:"
    assert "open_for_chat" not in [found.key for found in at.run().button]
