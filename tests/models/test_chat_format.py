"""A chat template and a system prompt are one template again, rendered once, with at most one BOS."""

import copy

import pytest

from safeneuron.errors import UserError
from safeneuron.models.chat import prompt_ids, templated
from safeneuron.models.chat_format import (
    FALLBACKS,
    ChatFormat,
    adds_bos,
    format_of,
    is_folded,
    rendered,
    speaking,
    with_template,
)

USER = [{"role": "user", "content": "Hi"}]
TURNS = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[a]{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + TURNS
)
DROPS_SYSTEM = TURNS.replace("{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}")
OWN_SYSTEM = "{% if messages[0]['role'] != 'system' %}[system]by itself{% endif %}" + TURNS
SLICES = (
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set messages = messages[1:] %}<<{{ 'sys' }}>>\n{%- endif %}\n"
    "{{ messages[0]['content'] }}\n"
)
SYSTEMS = [
    "Be brief.",
    "Say \"arr\" \\ and 'ahoy'.\n\tThen {{ stop }} {% if %} {# #} %} }} #}",
    "Grüße 🏴‍☠️ \u2028 \x07 end",
    "null",
]


@pytest.fixture
def tokenizer(llama):
    """The tiny model's tokenizer, which a test may change."""
    return copy.copy(llama.tokenizer)


def adding_bos(tokenizer):
    """Let a tokenizer put a BOS token before every text, as Llama's and OPT's do."""
    from tokenizers.processors import TemplateProcessing

    changed = copy.deepcopy(tokenizer)
    changed._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", changed.bos_token_id)]
    )
    return changed


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("template", [TURNS, NO_SYSTEM, DROPS_SYSTEM, OWN_SYSTEM, *FALLBACKS])
def test_the_system_prompt_is_read_as_it_was_written(tokenizer, template, system):
    spoken = speaking(tokenizer, ChatFormat(template, system))
    text = rendered(spoken, USER)
    assert text.count(system) == 1 and "by itself" not in text
    assert text.index(system) < text.index("Hi")
    assert format_of(spoken) == ChatFormat(template, system)
    assert is_folded(spoken.chat_template) == (template in (NO_SYSTEM, DROPS_SYSTEM))


@pytest.mark.parametrize("template", [TURNS, NO_SYSTEM, OWN_SYSTEM, "\n  " + TURNS + "\n", SLICES])
def test_the_head_changes_nothing_but_the_system_turn(tokenizer, template):
    system = [{"role": "system", "content": "Be brief."}]
    spoken = speaking(tokenizer, ChatFormat(template, "Be brief."))
    if is_folded(spoken.chat_template):
        expected = rendered(tokenizer, [{"role": "user", "content": "Be brief.\n\nHi"}], template)
    else:
        expected = rendered(tokenizer, system + USER, template)
    assert rendered(spoken, USER) == expected
    assert rendered(spoken, system + USER) == expected, "a system turn of the conversation's own counts, once"


def test_without_a_system_prompt_the_template_is_itself(tokenizer):
    assert speaking(tokenizer, ChatFormat(OWN_SYSTEM)).chat_template == OWN_SYSTEM
    assert rendered(speaking(tokenizer, ChatFormat(OWN_SYSTEM)), USER) == "[system]by itself[user]Hi[a]"


def test_an_empty_template_is_the_models_own_and_a_new_system_prompt_takes_the_place_of_the_old(tokenizer):
    first = speaking(tokenizer, ChatFormat(system="First."))
    second = speaking(first, ChatFormat(system="Second."))
    assert format_of(second) == ChatFormat(tokenizer.chat_template, "Second.")
    assert "First." not in rendered(second, USER)
    assert speaking(second, ChatFormat()).chat_template == tokenizer.chat_template


def test_the_original_tokenizer_stays_as_it_is(tokenizer):
    before = tokenizer.chat_template
    spoken = speaking(tokenizer, ChatFormat(TURNS, "Be brief."))
    assert tokenizer.chat_template == before and spoken._tokenizer is tokenizer._tokenizer


def test_a_saved_tokenizer_still_speaks_so(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    spoken = speaking(tokenizer, ChatFormat("\n" + NO_SYSTEM, SYSTEMS[1]))
    spoken.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.chat_template == spoken.chat_template
    assert rendered(again, USER) == rendered(spoken, USER)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for", "does not render"),
        ("{{ raise_exception('Not like this.') }}", r"does not render \(Not like this\)"),
        ("{{ 1 / 0 }}", "does not render"),
        ("{{ messages[7]['content'] }}", "does not render"),
        ("Hello.", "leaves out the person's turn"),
        ("{{ bos_token }}{{ bos_token }}" + TURNS, "writes the BOS token <s> twice"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(tokenizer, template, message):
    with pytest.raises(UserError, match=message):
        speaking(tokenizer, ChatFormat(template))


def test_a_template_of_one_fixed_turn_takes_the_system_prompt_at_its_head(tokenizer):
    spoken = speaking(tokenizer, ChatFormat("Q: {{ messages[-1]['content'] }} A:", "Be brief."))
    assert rendered(spoken, USER) == "Q: Be brief.\n\nHi A:"


@pytest.mark.parametrize("writes", [False, True], ids=["template writes none", "template writes BOS"])
@pytest.mark.parametrize("adds", [False, True], ids=["tokenizer adds none", "tokenizer adds BOS"])
def test_the_template_alone_decides_of_the_bos_token(llama, writes, adds):
    from dataclasses import replace

    tokenizer = adding_bos(llama.tokenizer) if adds else llama.tokenizer
    assert adds_bos(tokenizer) == adds
    spoken = speaking(tokenizer, ChatFormat("{{ bos_token }}" * writes + TURNS, "Be brief."))
    ids = prompt_ids(replace(llama, tokenizer=spoken), "Hi")
    assert ids.count(spoken.bos_token_id) == writes
    assert spoken.decode(ids) == "<s>" * writes + "[system]Be brief.[user]Hi[a]"


@pytest.mark.parametrize("adds", [False, True])
def test_the_fallback_writes_bos_where_the_tokenizer_adds_one(llama, adds):
    from dataclasses import replace

    tokenizer = adding_bos(llama.tokenizer) if adds else copy.copy(llama.tokenizer)
    tokenizer.chat_template = None
    loaded = replace(llama, tokenizer=with_template(tokenizer))
    assert format_of(loaded.tokenizer).is_fallback
    assert templated(loaded, "Hi") == "<s>" * adds + "User: Hi\n\nAssistant:"
    assert prompt_ids(loaded, "Hi") == tokenizer("User: Hi\n\nAssistant:")["input_ids"]


def test_the_fallback_renders_a_whole_conversation(tokenizer):
    tokenizer.chat_template = None
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Ho."), ("user", "And?"), ("assistant", "No.")]
    messages = [{"role": role, "content": text} for role, text in turns]
    text = with_template(tokenizer).apply_chat_template(messages, tokenize=False)
    assert text == "Be brief.\n\nUser: Hi\n\nAssistant: Ho.</s>\n\nUser: And?\n\nAssistant: No.</s>"
    assert text.startswith(rendered(tokenizer, messages[:-1])), "what TRL takes for the prompt is the prompt"


def test_of_several_templates_the_default_counts(tokenizer):
    tokenizer.chat_template = {"default": TURNS, "tool_use": "{{ tools }}"}
    assert with_template(tokenizer).chat_template == TURNS
    tokenizer.chat_template = {"rag": TURNS, "tool_use": "{{ tools }}"}
    with pytest.raises(UserError, match="rag, tool_use and none called default"):
        with_template(tokenizer)


REAL = "gemma gemma3 llama3 llama3_1 qwen2_5 qwen3 phi3 phi3_5 cohere2 deepseekv3 gptoss".split()
"""Templates of well-known models, as TRL carries them."""


@pytest.mark.parametrize("name", REAL)
def test_templates_of_well_known_models_take_a_system_prompt(tokenizer, name):
    from importlib.resources import files

    template = (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    spoken = speaking(tokenizer, ChatFormat(template, SYSTEMS[1]))
    text = rendered(spoken, USER)
    assert text.count(SYSTEMS[1]) == 1 and text.index(SYSTEMS[1]) < text.rindex("Hi")
    assert is_folded(spoken.chat_template) == (name == "gemma"), "Gemma's refuses the system role"
