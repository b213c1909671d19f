"""`taxonomy check` and `diff`, and `classify --explain`: what an analyst sees of a change and of a decision."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from drinkstream.cli import cli
from drinkstream.errors import BadInputError

HEAD = 'categories = ["tea"]\n\n[context.drinking]\nnear = ["drink|cup"]\n'
TEA = '[[drink]]\nid = "tea"\ncategory = "tea"\nwords = ["tea"]\n'
TRAP = '[[trap]]\nid = "party"\nwords = ["tea party"]\n'


def written(folder: Path, part: str) -> str:
    (folder / "taxonomy").mkdir(parents=True)
    (folder / "taxonomy.toml").write_text(HEAD)
    (folder / "taxonomy" / "en.toml").write_text(part)
    return str(folder / "taxonomy.toml")


def told(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_sound_taxonomy_is_counted(tmp_path: Path):
    output = told("taxonomy", "check", written(tmp_path / "one", TEA + TRAP))
    assert output.endswith(
        ": 1 categories, 0 brands, 1 terms, 1 traps, 1 contexts\n" + "note: context drinking is used by no entry\n"
    )


def test_a_broken_one_is_refused_with_file_line_and_remedy(tmp_path: Path):
    path = written(tmp_path / "one", TEA.replace('"tea"\nwords', '"tee"\nwords'))
    with pytest.raises(BadInputError, match=r"taxonomy/en\.toml, line 3: unknown category 'tee': use one of tea"):
        CliRunner().invoke(cli, ["taxonomy", "check", path], catch_exceptions=False)


def test_entries_that_do_nothing_are_told(tmp_path: Path):
    idle = TEA + '[[trap]]\nid = "x"\nwords = ["garden party"]\n[context.lost]\nnear = ["a"]\n'
    output = told("taxonomy", "check", written(tmp_path / "one", idle))
    assert "note: context lost is used by no entry\n" in output
    assert "note: en.x: no alias stands in 'garden party'\n" in output


def test_a_trap_for_what_ends_like_a_compound_does_something(tmp_path: Path):
    ending = '[[drink]]\nid = "compound"\ncategory = "tea"\nwords = ["tea"]\nending = true\n'
    trap = '[[trap]]\nid = "no-compounds"\nwords = ["plateau", "protea"]\n'
    output = told("taxonomy", "check", written(tmp_path / "one", TEA + ending + trap))
    assert "protea" not in output
    assert "note: en.no-compounds: no alias stands in 'plateau'\n" in output


def test_the_installed_one_has_no_entry_that_does_nothing():
    assert "note:" not in told("taxonomy", "check")


def test_texts_that_change_are_written_with_the_rules_that_did_it(tmp_path: Path):
    posts = tmp_path / "posts.jsonl"
    posts.write_text("\n".join(json.dumps({"id": n, "text": text}) for n, text in enumerate(("tea party", "my tea"))))
    old, new = written(tmp_path / "old", TEA), written(tmp_path / "new", TEA + TRAP)
    assert told("taxonomy", "diff", old, new, "--on", str(posts)) == (
        "0: tea -> nothing\n  'tea party'\n  - counts 'tea' by en.tea\n  + holds back 'tea' by en.party\n"
        "1 of 2 texts change\n"
    )


def test_a_line_that_is_no_post_is_named(tmp_path: Path):
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"id": 1}\n')
    path = written(tmp_path / "one", TEA)
    with pytest.raises(BadInputError, match="line 1: expected a JSON object"):
        CliRunner().invoke(cli, ["taxonomy", "diff", path, path, "--on", str(posts)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("spill the tea", "en", "held back: 'tea', by rule traps.gossip: it is part of a name, an idiom or a thing"),
        (
            "shiraz of gin",
            "en",
            "held back: 'gin', by rule en.gin:needs-liquor-or-pomelo: en.gin is ambiguous",
        ),
        ("te amo, tee", "es", "by rule germanic.tea:language: germanic.tea counts in de, nl only"),
        ("need my Starbucks", "en", "at 8-17, by rule brands.starbucks+craving (craving: beside "),
        ("RT @x: we had tea…", "en", "may be the beginning of a longer word: the repost is cut off here"),
        ("coffee cake", "en", "held back: 'coffee', by rule traps."),
        ("beer hair", "en", "en.beer does not count beside flavour ("),
        ("nothing", "en", "names no drink"),
    ],
)
def test_a_decision_is_explained_in_words(text: str, lang: str, expected: str):
    line = json.dumps({"id": 1, "text": text, "lang": lang})
    result = CliRunner().invoke(cli, ["classify", "--explain"], input=line, catch_exceptions=False)
    assert expected in result.output


def test_lines_that_are_not_utf8_are_told_of():
    """On standard input, where a terminal or another program may write anything."""
    result = CliRunner().invoke(cli, ["classify"], input=b'{"id": 1, "text": "caf\xe9"}\n')
    assert isinstance(result.exception, BadInputError)
    assert str(result.exception) == "the lines are not UTF-8: save them as UTF-8"
