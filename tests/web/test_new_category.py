"""A category that the taxonomy of an epoch or a run has, and the web's own has not: it started before, or behind."""

from dataclasses import replace
from pathlib import Path

from tests.web.conftest import NOW, Store, Web, epoch, post
from tests.web.test_why import POST, archived

NO_MORE = {"m1": "kombucha", "m2": "mate"}
"""A category of each meaning version that the installed taxonomy has not."""


def test_an_epoch_of_a_newer_taxonomy_has_the_cells_of_its_categories_read(web: Web, store: Store) -> None:
    """The web may have started before a category was added, and an epoch that has ended may have had one more."""
    store.lives["e2"] = post("2017-09-15T00:05", "301", "x", "original", "en", ("kombucha", None), ("mate", None))
    store.taxonomies["m2"] = {"taxonomy.toml": 'categories = ["coffee", "kombucha"]'}
    web.view.look()
    assert "kombucha" in web.refused("share?from=2017-09-15&to=2017-09-15&category=kombucha")
    store.rows = [epoch("e1", "retired", retired_at=NOW), replace(epoch("e2", "current"), meaning="m2")]
    web.view.look()
    shares = web.get("share?from=2017-09-15&to=2017-09-15")["shares"]
    assert [(row["category"], row["n"]) for row in shares] == [("kombucha", 1)]
    assert web.get("share?from=2017-09-15&to=2017-09-15&category=kombucha")["total"] == 1


def test_why_names_the_cells_of_a_category_that_is_no_more(web: Web, store: Store, tmp_path: Path) -> None:
    """Of the run and of the epoch, each by the taxonomy that it was counted by."""
    store.runs["run-1"] += post("2017-09-14T08:01", "101", "x", "original", "en", ("kombucha", None))
    store.lives["e2"] = post("2017-09-14T08:01", "101", "x", "original", "en", ("mate", None))
    store.taxonomies = {name: {"taxonomy.toml": f'categories = ["{one}"]'} for name, one in NO_MORE.items()}
    store.rows = [replace(epoch("e2", "current"), meaning="m2")]
    archived(tmp_path, POST)
    answer = web.get("why/x:101")
    names = [{cell["name"] for cell in layer["cells"]} for layer in (answer["runs"][0], answer["epoch"])]
    assert names == [
        {"any drink", "any brand", "starbucks", "coffee", "coffee with starbucks", "kombucha"},
        {"any drink", "mate"},
    ]
