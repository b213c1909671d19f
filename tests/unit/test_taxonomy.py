"""The taxonomy is read whole or refused with file, line and remedy, and its version is its content."""

from pathlib import Path

import pytest

from drinkstream.errors import BadInputError
from drinkstream.taxonomy import Taxonomy, load

HEAD = 'categories = ["tea", "milk"]\n\n[shards]\n"*" = 4\ntea = 2\n\n[context.drinking]\nnear = ["drink|cup"]\n'
TEA = '[[drink]]\nid = "tea"\ncategory = "tea"\nwords = ["tea"]\n'


def written(folder: Path, head: str = HEAD, **parts: str) -> Path:
    """A taxonomy.toml with these parts beside it."""
    path = folder / "taxonomy.toml"
    path.write_text(head)
    (folder / "taxonomy").mkdir(exist_ok=True)
    for name, text in parts.items():
        (folder / "taxonomy" / f"{name}.toml").write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BadInputError) as caught:
        load(path)
    return str(caught.value).replace(str(path.parent), "")


def test_the_installed_one_has_the_ten_categories_in_their_order():
    categories = ("coffee", "tea", "beer", "wine", "spirits", "soda", "juice", "water", "energy", "milk")
    assert load().categories == categories


def test_the_installed_one_has_every_brand_of_the_counting_rules():
    brands = """starbucks,dunkin,costa,nescafe,kopi kenangan,fore,tomoro,point coffee,tuku,flash coffee,coca-cola,pepsi,
    sprite,dr pepper,mountain dew,red bull,monster,rockstar,gatorade,powerade,5-hour energy,lacroix,perrier,evian,
    budweiser,bud light,coors,corona,guinness,heineken,steinlager,patron,jack daniels,crown royal,captain morgan,
    fireball,hendricks,ketel one,innocent"""
    assert {brand.strip() for brand in brands.split(",")} - set(load().brands) == set()


def test_shards_are_one_where_none_are_given(tmp_path: Path):
    assert dict(load(written(tmp_path)).shards) == {"*": 4, "tea": 2, "milk": 1}


def test_the_same_content_is_the_same_version(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert load(written(one, en=TEA)).version == load(written(other, en=TEA)).version


@pytest.mark.parametrize(
    "changed", [TEA.replace('["tea"]', '["teas"]'), TEA + "\n# a remark\n", TEA + "\n[context.x]\n"]
)
def test_any_change_is_another_version(tmp_path: Path, changed: str):
    before = load(written(tmp_path, en=TEA)).version
    assert load(written(tmp_path, en=changed)).version != before


def test_a_new_part_is_another_version(tmp_path: Path):
    before = load(written(tmp_path, en=TEA)).version
    assert load(written(tmp_path, fr="")).version != before


def test_rules_are_named_by_file_and_id(tmp_path: Path):
    taxonomy: Taxonomy = load(written(tmp_path, en=TEA))
    assert [(term.rule, term.words, term.category) for term in taxonomy.terms] == [("en.tea", ("tea",), "tea")]


FAULTS = {
    "no TOML": ("[[drink]\n", "not TOML"),
    "an unknown table": ('[[drinks]]\nid = "x"\n', "line 1: unknown table or key drinks: use "),
    "an unknown key": (TEA + 'word = "x"\n', "line 5: unknown key word: a drink has "),
    "an unknown category": (
        TEA.replace('"tea"\nwords', '"tee"\nwords'),
        "line 3: unknown category 'tee': use one of milk, tea",
    ),
    "no category": (
        '[[drink]]\nid = "x"\nwords = ["y"]\n',
        "line 1: a term without a category: add category = one of ",
    ),
    "no words": ('[[drink]]\nid = "x"\ncategory = "tea"\n', "line 1: words is empty: name at least one"),
    "words that are no list": (
        TEA.replace('["tea"]', "7"),
        'line 4: words is no list of strings: write words = ["one", "two"]',
    ),
    "an empty choice": (
        TEA.replace('["tea"]', '["tea||x"]'),
        "line 4: 'tea||x' is no phrase (an empty choice beside |)",
    ),
    "a ? inside a slot": (
        TEA.replace('["tea"]', '["a?|b x"]'),
        "line 4: 'a?|b x' is no phrase (a ? that is not the last",
    ),
    "wildcards alone": (TEA.replace('["tea"]', '["* *"]'), "line 4: '* *' is no phrase (no word in it)"),
    "a bad id": (TEA.replace('"tea"\ncategory', '"Tea!"\ncategory'), "line 2: bad id 'Tea!': add id = small letters"),
    "an id twice": (TEA + TEA, "line 6: en.tea is taken"),
    "an unknown context": (TEA + 'need = ["thirst"]\n', "line 5: unknown 'thirst' in need: use drinking"),
    "no language": (TEA + 'langs = ["English"]\n', "line 5: 'English' is no language: write primary tags"),
    "unknown suffixes": (TEA + 'suffixes = "xx"\n', "line 5: unknown suffixes 'xx'"),
    "a flag that is none": (TEA + 'names = "yes"\n', "line 5: names is 'yes': write names = true or leave it out"),
    "a context twice": ("[context.drinking]\nnear = []\n", "line 1: context drinking is defined twice"),
    "a context with a reason's name": (
        "[context.not-mine]\nnear = []\n",
        "line 1: context not-mine is named like a reason of its own: give it another name",
    ),
    "a reach below zero": ("[context.x]\nwithin = -1\n", "line 2: within is -1: write a whole number, 0 or more"),
    "a brand without a name": ('[[brand]]\nid = "x"\nwords = ["y"]\n', "line 1: a brand without its name"),
    "products of nothing": ('[products.gin]\nx = ["y"]\n', "line 1: products of 'gin': use one of tea, milk"),
    "contexts without names": (
        "[[context]]\nnear = []\n",
        "line 1: context is no table of named ones: write [context.NAME]",
    ),
    "a number for tables": ("drink = [1]\n", "line 1: drink is no list of tables: write [[drink]]"),
    "one table for many": ('[drink]\nid = "x"\n', "line 1: [drink] is one table: write [[drink]]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_file_line_and_remedy(tmp_path: Path, fault: str):
    text, message = FAULTS[fault]
    told = refusal(written(tmp_path, en=text))
    assert told.startswith("/taxonomy/en.toml")
    assert message in told


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ("tea = 0", "/taxonomy.toml, line 4: 0 shards: write a whole number from 1 to 4096"),
        ("gin = 2", "/taxonomy.toml, line 4: shards for 'gin': use * or one of tea, milk"),
    ],
)
def test_bad_shards_are_refused(tmp_path: Path, shards: str, message: str):
    assert refusal(written(tmp_path, f'categories = ["tea", "milk"]\n\n[shards]\n{shards}\n')) == message


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path):
    path = written(tmp_path)
    (tmp_path / "taxonomy" / "en.toml").write_bytes(b"# one\n# caf\xe9\n")
    assert refusal(path) == "/taxonomy/en.toml, line 2: not UTF-8: save the file as UTF-8"


def test_a_missing_taxonomy_is_refused(tmp_path: Path):
    assert refusal(tmp_path / "taxonomy.toml") == "no taxonomy at /taxonomy.toml: name an existing taxonomy.toml"


def test_a_hidden_file_is_no_part_and_one_that_cannot_be_read_is_refused(tmp_path: Path):
    """An editor's lock is a link to nothing beside the file that it locks."""
    path = written(tmp_path, en=TEA)
    before = load(path).version
    (tmp_path / "taxonomy" / ".#en.toml").symlink_to("somebody@nowhere")
    assert load(path).version == before
    (tmp_path / "taxonomy" / "de.toml").symlink_to("nowhere")
    assert refusal(path) == "/taxonomy/de.toml: No such file or directory: make it readable, or take it away"
