"""``models chat``: what a model reads, and formats of one's own."""

import pytest

from safeneuron.models.catalogue import model_card, open_model
from safeneuron.models.chat import templated
from safeneuron.models.chat_names import chat_names


def test_it_prints_what_the_model_reads(home, model_folder, call, call_json):
    found = call_json("models", "chat", model_folder)
    loaded = open_model(str(model_folder))
    assert found["text"] == templated(loaded, "How do I bake bread?")
    assert (found["template"], found["system"], found["notes"]) == (loaded.tokenizer.chat_template, "", [])
    assert found["fingerprint"] == loaded.fingerprint
    assert found["text"] in call("models", "chat", model_folder).stdout


def test_a_format_is_kept_used_replaced_and_forgotten(home, model_folder, call, call_json, refusal, tmp_path):
    found = call_json("models", "chat", model_folder, "--as", "pirate", "--system", "You are a pirate.")
    source = f"{model_folder}#pirate"
    assert (found["model"], found["system"], found["replaced"]) == (source, "You are a pirate.", False)
    assert templated(open_model(source), "How do I bake bread?") == found["text"]

    template = tmp_path / "own.jinja"
    template.write_text("{% for m in messages %}({{ m['content'] }}){% endfor %}")
    found = call_json("models", "chat", source, "--as", "own", "--template", template)
    assert found["text"] == "(You are a pirate.)(How do I bake bread?)", "what is not given stays as it is"
    assert "earlier" not in call("models", "chat", source).stdout

    said = call("models", "chat", model_folder, "--as", "pirate", "--system", "Arr.").stdout
    assert "Another wording had this name before" in said and "Arr." in said
    assert "is forgotten" in call("models", "chat", source, "--delete").stdout
    assert chat_names() == ["own"]
    assert "no chat format 'pirate'" in refusal("models", "chat", source)


def test_a_system_prompt_of_one_model_goes_with_another(home, model_folder, second_folder, call_json):
    template = open_model(str(model_folder)).tokenizer.chat_template
    call_json("models", "chat", model_folder, "--as", "pirate", "--system", "You are a pirate.")
    assert model_card(f"{second_folder}#pirate").chat.template == "", f"the model's own, not {template}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as", "pirate"], "needs a system prompt or a template"),
        (["--as", "a b", "--system", "x"], "cannot name a chat format"),
        (["--system", "x"], "add --as NAME"),
        (["--delete"], "Give MODEL#NAME and --delete alone"),
        (["--as", "x", "--template", "no/such/file"], "cannot be read as a template"),
    ],
)
def test_what_cannot_be_kept_says_why(home, model_folder, refusal, arguments, message):
    assert message in refusal("models", "chat", model_folder, *arguments)
    assert chat_names() == []


def test_a_template_that_does_not_render_is_not_kept(home, model_folder, refusal, tmp_path):
    (tmp_path / "bad.jinja").write_text("{% for")
    assert "does not render" in refusal(
        "models", "chat", model_folder, "--as", "x", "--template", tmp_path / "bad.jinja"
    )
    assert chat_names() == []


def test_a_model_that_is_not_prepared_says_so(home, refusal):
    assert "models prepare smollm2-135m-safe" in refusal("models", "chat", "smollm2-135m-safe")


def test_the_same_string_scores(home, model_folder, call_json):
    call_json("models", "chat", model_folder, "--as", "pirate", "--system", "You are a pirate.")
    rows = [call_json("score", "--model", f"{model_folder}{name}", "--tau-es", 0.5) for name in ("", "#pirate")]
    assert rows[0] != rows[1]
    both = call_json("score", "--model", f"{model_folder}#pirate", "--compare", model_folder, "--tau-es", 0.5)
    assert both
