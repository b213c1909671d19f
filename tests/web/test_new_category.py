"""A category that the taxonomy of the live epoch has, and the web's own has not: it started before, or behind."""

from dataclasses import replace

from tests.web.conftest import NOW, Store, Web, epoch, post


def test_an_epoch_of_a_newer_taxonomy_has_the_cells_of_its_categories_read(web: Web, store: Store) -> None:
    """The web may have started before a category was added, and an epoch that has ended may have had one more."""
    store.lives["e2"] = post("2017-09-15T00:05", "301", "x", "original", "en", ("kombucha", None), ("mate", None))
    store.taxonomies["m2"] = {"taxonomy.toml": 'categories = ["coffee", "kombucha"]'}
    web.view.look()
    store.rows = [epoch("e1", "retired", retired_at=NOW), replace(epoch("e2", "current"), meaning="m2")]
    web.view.look()
    shares = web.get("share?from=2017-09-15&to=2017-09-15")["shares"]
    assert [(row["category"], row["n"]) for row in shares] == [("kombucha", 1)]
    assert web.get("share?from=2017-09-15&to=2017-09-15&category=kombucha")["total"] == 1
