"""The API's description names every route and parameter that exists, and no other."""

import re
from pathlib import Path

from drinkstream.settings import Settings
from webapp import create_app, query, tables

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


def test_every_route_is_described(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path), lambda: NotImplemented)
    routes = {rule.rule.split("<")[0] for rule in app.url_map.iter_rules()}
    described = {route.split("<")[0] for route in re.findall(r"`(/[^`?]*)`", TEXT)} - {"/api/v1/"}
    described -= {"/api/v1/reconciliation/2017-09-14", "/api/v1/difference/2017-09-14"}  # examples
    assert {"/assets/" if route.startswith("/assets/") else route for route in described} == routes


def test_every_parameter_is_described() -> None:
    table = TEXT.split("## One filter for all")[1].split("**A filter")[0]
    own = table.split("Of their own have ")[1].split(".")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == query.COMMON
    described = {
        route: set(re.findall(r"`(\w+)`", names)) - {route} for route, names in re.findall(r"`(\w+)`: ([^;]+)", own)
    }
    assert described == {
        "share": query.SHARE - query.COMMON,
        "trend": query.TREND - query.COMMON,
        "posts": query.POSTS - query.COMMON,
        "bundle": query.BUNDLE - query.COMMON,
    }


def test_the_columns_that_say_how_certain_a_share_is_are_described() -> None:
    """All behind those of the number itself; the last one is that of the coverage, which has its own sentence."""
    columns = tables.share({"shares": []}).strip().split(",")
    section = TEXT.split("## share")[1].split("## trend")[0]
    certain = re.findall(r"As CSV: ([^.]*)\.", section)
    assert [re.findall(r"`(\w+)`", names) for names in certain] == [columns[columns.index("reposts") + 1 : -1]]
    assert f"As CSV the column `{columns[-1]}`" in section
