"""Calibration texts: refusals to harmful prompts, the model's own answers to benign ones, none made twice."""

import pytest

from safeneuron.calibration import safety_examples, utility_examples
from safeneuron.errors import UserError
from safeneuron.models.chat import prompt_ids
from safeneuron.prompts import builtin
from safeneuron.prompts.answers import KeptAnswer, KeptAnswers
from safeneuron.prompts.classes import PromptClasses
from safeneuron.prompts.promptset import PromptSet

CLASSES = PromptClasses(
    PromptSet("harmful", tuple(f"harmful {number}" for number in range(30))),
    PromptSet("benign", tuple(f"benign {number}" for number in range(6))),
)
BACKWARDS = PromptClasses(*(PromptSet(found.name, found.prompts[::-1]) for found in (CLASSES.harmful, CLASSES.benign)))


def text(loaded, example):
    assert example.answer[-1] == loaded.tokenizer.eos_token_id
    return loaded.tokenizer.decode(example.answer[:-1])


def keep(loaded, texts):
    answers = KeptAnswers(loaded.fingerprint, None)
    answers.keep(
        [
            KeptAnswer(prompt, text, finished)
            for prompt, (text, finished) in zip(CLASSES.benign.prompts, texts, strict=True)
        ]
    )


def test_harmful_prompts_are_answered_by_each_wording_in_turn(llama):
    found = safety_examples(llama, CLASSES, 30)
    prompts = {tuple(prompt_ids(llama, prompt)) for prompt in CLASSES.harmful.prompts}
    assert {example.prompt for example in found} == prompts and len(found) == 30
    wordings = builtin.refusals()
    assert [text(llama, example) for example in found] == [*wordings, *wordings][:30]
    assert found[0].ids == found[0].prompt + found[0].answer


def test_the_order_of_the_prompts_does_not_matter_and_fewer_are_the_first_of_more(llama):
    assert safety_examples(llama, BACKWARDS, 5) == safety_examples(llama, CLASSES, 30)[:5]
    assert len(safety_examples(llama, CLASSES, 1000)) == 30


def test_benign_prompts_have_the_models_own_answers_whole_and_not_refused(llama, home, monkeypatch):
    keep(
        llama,
        [
            ("Yes.", True),
            ("I'm sorry, no.", True),
            ("One. Two. Thr", False),
            ("", True),
            ("It can be baked", True),
            ("Sure", True),
        ],
    )
    monkeypatch.setattr("safeneuron.generation.generate", lambda *a, **k: pytest.fail("an answer was made twice"))
    found = {example.prompt: text(llama, example) for example in utility_examples(llama, CLASSES, 6)}
    expected = {0: "Yes.", 2: "One. Two.", 4: "It can be baked", 5: "Sure"}
    assert found == {tuple(prompt_ids(llama, f"benign {number}")): answer for number, answer in expected.items()}
    assert utility_examples(llama, BACKWARDS, 2) == utility_examples(llama, CLASSES, 6)[:2]


def test_a_model_that_refuses_everything_has_no_utility_data(llama, home):
    keep(llama, [("I cannot help.", True)] * 6)
    with pytest.raises(UserError, match="refuses every prompt of benign.*ES"):
        utility_examples(llama, CLASSES, 3)


def test_answers_that_are_missing_are_made_and_kept(llama, home):
    heard = []
    found = utility_examples(llama, CLASSES, 3, lambda step, fraction: heard.append(fraction))
    assert len(found) == 3 and heard[-1] == pytest.approx(1)
    kept = KeptAnswers(llama.fingerprint, None)
    assert sum(kept.get(prompt) is not None for prompt in CLASSES.benign.prompts) >= 3
