"""What the running web answers for a day, in the oracle's form."""

from typing import Any

import requests

from drinkstream.settings import Settings
from tests.lib import oracle

KINDS = ("original", "reply", "quote", "repost")


def get(settings: Settings, path: str, **asked: str) -> Any:
    """The JSON of an API route."""
    base = f"http://{settings.host}:{settings.web_port}/api/v1/"
    answer = requests.get(base + path, params=asked, timeout=30)
    assert answer.ok, answer.text
    return answer.json()


def day_of(cells: oracle.Cells, day: str) -> oracle.Cells:
    """The cells of one day."""
    return {cell: ids for cell, ids in cells.items() if cell[0] == day}


def answer(settings: Settings, day: str) -> tuple[int, dict[str, tuple[int, float, float]]]:
    """A day's shares by category of the posts of X, reposts included."""
    found = get(settings, "share", **{"from": day, "to": day, "source": "x", "reposts": "include"})
    return found["total"], {row["category"]: (row["n"], row["share"], row["mix"]) for row in found["shares"]}


def shares(cells: oracle.Cells) -> tuple[int, dict[str, tuple[int, float, float]]]:
    """What `answer` must be for these cells."""
    return oracle.share(cells, "category", kinds=KINDS)


def ids(settings: Settings, day: str, limit: int = 1000, **asked: str) -> set[str]:
    """The ids of X that the API lists for a day's number, page by page; each is listed once."""
    found: set[str] = set()
    asked = {"from": day, "to": day, "source": "x", "reposts": "include", "limit": str(limit), **asked}
    while True:
        page = get(settings, "posts", **asked)
        assert not found & set(page["ids"])
        found |= set(page["ids"])
        if not page["next"]:
            return found
        asked["after"] = page["next"]


def published(settings: Settings, day: str) -> str | None:
    """The run that answers for a day; None where it is not published."""
    run: str | None = get(settings, "days", **{"from": day, "to": day})["days"][0]["run"]
    return run
