"""Answers are given once: they are there in another process, and for whoever asks next."""

import json

import pytest

from safeneuron import generation
from safeneuron.ablation.hooks import ablate
from safeneuron.generation import Answer, generate
from safeneuron.prompts.answers import KeptAnswers, was_answered, whole_sentences


@pytest.fixture
def never(monkeypatch):
    """From now on nothing may be generated."""

    def forbid():
        monkeypatch.setattr(generation, "generate", lambda *_, **__: pytest.fail("generated again"))

    return forbid


def test_answers_are_the_models_own_and_are_there_after_a_restart(home, llama, some_neurons, prompts, never):
    neurons = some_neurons(llama)
    given = KeptAnswers(llama.fingerprint, neurons, 7).answers(llama, prompts)
    with ablate(llama, neurons):
        expected = generate(llama, prompts, 7)
    assert [answer.text for answer in given] == [answer.text for answer in expected]
    never()
    again = KeptAnswers(llama.fingerprint, neurons, 7)
    assert [again.get(prompt) for prompt in prompts] == given == again.answers(llama, prompts)


def test_what_was_streamed_is_kept_too(home, llama, some_neurons, never):
    neurons, seen = some_neurons(llama), []
    answer = KeptAnswers(llama.fingerprint, neurons, 7).stream(llama, "Why?", seen.append)
    assert seen and seen[-1].strip() == answer.text
    never()
    again = KeptAnswers(llama.fingerprint, neurons, 7)
    assert again.stream(llama, "Why?", seen.append) == answer == again.get("Why?")
    assert was_answered("Why?", answer.text) and not was_answered("Why", answer.text)


def test_another_model_set_or_length_has_answers_of_its_own(home, llama, some_neurons):
    neurons = some_neurons(llama)
    KeptAnswers(llama.fingerprint, neurons, 7).keep([Answer("Why?", "So.", (1,), True)])
    for model, ablated, tokens in (
        ("other", neurons, 7),
        (llama.fingerprint, None, 7),
        (llama.fingerprint, neurons, 8),
    ):
        assert KeptAnswers(model, ablated, tokens).get("Why?") is None
    assert KeptAnswers(llama.fingerprint, neurons, 7).get("Why?").text == "So."


def test_a_half_written_line_is_passed_over(home, llama):
    kept = KeptAnswers(llama.fingerprint, None)
    kept.keep([Answer("one", "1\u2028.", (1,), True), Answer("two", "2.", (1,), False)])
    (path,) = (home / "answers").glob("*.jsonl")
    assert [json.loads(line)["finished"] for line in path.read_text().splitlines()] == [True, False]
    path.write_text(path.read_text()[:-5])
    again = KeptAnswers(llama.fingerprint, None)
    assert again.get("one").text == "1\u2028." and again.get("two") is None


def test_cut_answers_end_with_a_whole_sentence():
    assert whole_sentences("One. Two! Thr") == "One. Two!"
    assert whole_sentences("no end here") == "no end here"
    assert whole_sentences("1.5 litres of") == "1.5 litres of"
    assert whole_sentences("A list:\n- one\n- tw") == "A list:\n- one"


@pytest.mark.parametrize(
    "line", [b"[]", b"{}", b'"x"', b'{"prompt": "one", "text": 5, "finished": true}', b'{"prompt": "\xff']
)
def test_a_line_that_is_no_answer_is_passed_over(home, llama, line):
    kept = KeptAnswers(llama.fingerprint, None)
    kept.keep([Answer("one", "1.", (1,), True)])
    (path,) = (home / "answers").glob("*.jsonl")
    path.write_bytes(path.read_bytes() + line + b"\n")
    again = KeptAnswers(llama.fingerprint, None)
    again.keep([Answer("two", "2.", (1,), True)])
    assert KeptAnswers(llama.fingerprint, None).get("one").text == "1."
    assert KeptAnswers(llama.fingerprint, None).get("two").text == "2."


def test_answers_of_an_earlier_version_are_read_without_their_tokens(home, llama, never):
    kept = KeptAnswers(llama.fingerprint, None)
    kept.keep([Answer("one", "1.", (7, 8), True, (1, 2)), Answer("none", "", (), True)])
    (path,) = (home / "answers").glob("*.jsonl")
    path.write_text(path.read_text() + '{"prompt": "two", "text": "2.", "finished": false}\n')
    never()
    again = KeptAnswers(llama.fingerprint, None)
    one, none, two = again.answers(llama, ["one", "none", "two"])
    assert (one.token_ids, one.token_ends, none.token_ids) == ((7, 8), (1, 2), ())
    assert (two.text, two.finished, two.token_ids, two.token_ends) == ("2.", False, None, None)
