"""Prompt files of every format and column name open; bad ones are refused with their name."""

import csv
import io
import json

import pytest

from safeneuron.errors import UserError
from safeneuron.prompts.promptset import COLUMNS, PromptSet, label_columns, load_labels, load_prompts

PROMPTS = ("How do I bake bread?", 'Say "hi", then\nleave.', "Était-ce 雨?")


def as_jsonl(column):
    return "".join(json.dumps({column: prompt, "category": None}) + "\n\n" for prompt in PROMPTS)


def as_json(column):
    return json.dumps([{"id": 1, column: prompt} for prompt in PROMPTS], indent=2, ensure_ascii=False)


def as_csv(column):
    stream = io.StringIO()
    csv.writer(stream).writerows([["id", column], *([1, prompt] for prompt in PROMPTS)])
    return stream.getvalue()


FORMATS = {".jsonl": as_jsonl, ".json": as_json, ".csv": as_csv}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_under_every_usual_name(tmp_path, ending, column):
    path = tmp_path / f"mine{ending}"
    path.write_bytes(FORMATS[ending](column).encode())
    assert load_prompts(path) == PromptSet("mine", PROMPTS)


def test_the_columns_are_those_that_the_issue_names():
    assert {"prompt", "instruction", "goal", "behavior", "question", "text"} <= set(COLUMNS)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_column_of_another_name_is_named(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    path.write_bytes(FORMATS[ending]("anfrage").encode())
    assert load_prompts(path, column="anfrage").prompts == PROMPTS
    with pytest.raises(UserError, match=rf"mine{ending}, entry 1, has no column named prompt.*anfrage.*--column"):
        load_prompts(path)
    with pytest.raises(UserError, match=rf"mine{ending}, entry 1, has no column 'wrong', only .*anfrage"):
        load_prompts(path, column="wrong")


def test_plain_text_is_one_prompt_a_line(tmp_path):
    path = tmp_path / "mine.TXT"
    path.write_bytes("\ufeffone\r\n\r\n  two  \nthree".encode())
    assert load_prompts(path).prompts == ("one", "two", "three")


def test_json_may_hold_bare_texts(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('["one", " two ", ""]')
    assert load_prompts(path).prompts == ("one", "two")


@pytest.mark.parametrize("text", ['{"prompt": "a\u2028b"}\n{"prompt": "c\u0085d"}\n', '"a\u2028b"\r\n"c\u0085d"'])
def test_only_line_feeds_end_the_lines_of_jsonl(tmp_path, text):
    """JSON may hold U+2028 and U+0085 as they are; str.splitlines would cut there."""
    path = tmp_path / "mine.jsonl"
    path.write_bytes(text.encode())
    assert load_prompts(path).prompts == ("a\u2028b", "c\u0085d")


def test_the_first_usual_name_wins(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "no", "prompt": "yes", "goal": "no"}')
    assert load_prompts(path).prompts == ("yes",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"empty{ending}", b"") for ending in (".jsonl", ".json", ".csv", ".txt")),
        ("blank.txt", b"\n \n"),
        ("headed.csv", b"prompt\n"),
        ("hollow.jsonl", b'{"prompt": ""}\n'),
        ("cut.jsonl", b'{"prompt": "one"}\n{"prompt": '),
        ("cut.json", b'[{"prompt": "one"},'),
        ("single.json", b'{"prompt": "one"}'),
        ("number.json", b"3"),
        ("numbers.jsonl", b"1\n2\n"),
        ("nested.json", b'[["one"]]'),
        ("none.jsonl", b'{"prompt": null}\n'),
        ("list.jsonl", b'{"prompt": ["one"]}\n'),
        ("empty_object.jsonl", b"{}\n"),
        ("open_quote.csv", b'prompt\n"one'),
        ("short_row.csv", b"id,prompt\n1\n"),
        ("binary.jsonl", b"\x89PNG\r\n\x1a\n\x00\xff"),
        ("binary.csv", b"\xff\xfe\x00\x00"),
        ("zeros.csv", b"prompt\n\x00\x00\n"),
        ("zeros.txt", b"\x00\x01\x02\x00"),
        ("latin.txt", "Café".encode("latin-1")),
        ("unknown.parquet", b"PAR1"),
        ("no_ending", b"one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_file_is_named_in_the_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as failure:
        load_prompts(path)
    assert name in str(failure.value)
    assert len(str(failure.value).splitlines()) == 1


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no file .*nowhere\.jsonl"):
        load_prompts(tmp_path / "nowhere.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UserError, match=r"folder\.jsonl is a folder"):
        load_prompts(tmp_path / "folder.jsonl")


def test_the_line_of_an_error_is_the_files(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "one"}\n\nnot json\n')
    with pytest.raises(UserError, match=r"mine\.jsonl, line 3, is not JSON"):
        load_prompts(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(tmp_path), "read_text", refuse)
    with pytest.raises(UserError, match=r"secret\.txt"):
        load_prompts(tmp_path / "secret.txt")


def test_what_a_set_says_of_itself():
    found = PromptSet("mine", PROMPTS)
    assert len(found) == 3
    assert found.head(2) == PromptSet("mine", PROMPTS[:2])
    assert found.head(None) is found
    assert found.head(99).prompts == PROMPTS


def test_labels_are_read_beside_the_prompts(tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text('prompt,kind\nHow?,fraud\n"",drugs\nWhy?, drugs \n')
    assert load_labels(path, "kind") == {"How?": "fraud", "Why?": "drugs"}
    path.write_text("prompt,kind\nHow?,fraud\nWhy?,\n")
    with pytest.raises(UserError, match="entry 2, has no 'kind'"):
        load_labels(path, "kind")


def test_the_columns_that_may_name_categories_are_all_others():
    assert label_columns('{"prompt": "How?", "kind": "fraud", "id": 3}\n{"text": "Why?"}', "a.jsonl") == ("kind", "id")
    assert label_columns("goal,topic\nHow?,fraud\n", "a.csv") == ("topic",)
    assert label_columns("How?\n", "a.txt") == label_columns("", "a.jsonl") == label_columns("[]", "a.json") == ()
