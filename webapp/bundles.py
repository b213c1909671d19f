"""The evidence bundle of an answer: the answer as it is given, with the ids, runs and rules behind it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from drinkstream import meaning
from drinkstream.bundle import cells_part, pack, plain, recipe, rules, whole
from drinkstream.cells import ANY, NO_BRAND
from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.merge import Publication, hours_of, instant
from drinkstream.reconcile import CellName
from drinkstream.store.read import CellIds, Run
from drinkstream.taxonomy_kept import installed
from drinkstream.verify import asked_about
from webapp import answers
from webapp.basis import Basis, hours_with_cells
from webapp.day import Day
from webapp.query import BUNDLE, Asked
from webapp.serving import Serving, answered

MOST_IDS = 1_000_000
"""Ids that a bundle has at most, each as often as it counts in a level: it is made in memory."""


def bundle(asked: Asked, base: Basis, topic: str) -> tuple[str, bytes]:
    """The bundle of an answer of `share`: its name and its bytes. `topic` is the one that was counted.

    Raises BadInputError for an answer of too many posts, UnavailableError where the store does not answer.
    """
    answer = answers.share(asked, base)
    if (many := too_many(answer)) is not None:
        raise BadInputError(f"a bundle of {many}")
    days = [_day(base, day) for day in base.days]
    question = _question(asked, base.token, topic)
    parts = {
        "question.json": plain(question),
        "answer.json": plain(answer),
        "runs.json": plain(days),
        "RECIPE.md": recipe(question, days),
        **rules(_taxonomies(base)),
        **{f"ids/{day.choice.day}.jsonl": _ids(asked, base, day) for day in base.days if day.counts is not None},
    }
    return f"drinkstream-{asked.first}-{asked.last}-{whole(parts)[:12]}.zip", pack(parts)


def too_many(answer: Mapping[str, Any]) -> str | None:
    """Why an answer of `share` has more ids than a bundle may, in words; None where it has not."""
    # those of the rows that a filter leaves out go in as well: the mix divides by them
    size = (answer["total"] or 0) + (answer["mix_total"] or 0)
    if size <= MOST_IDS:
        return None
    return f"{size:,} ids: at most {MOST_IDS:,} can be had at once; ask about fewer days, or narrow them"


def of_parameters(here: Serving, given: Mapping[str, str]) -> tuple[str, bytes]:
    """The same for a program without a request: the store is read once, and no thread is left.

    Raises BadInputError, as the route does, and UnavailableError.
    """
    if not here.view.look():
        raise UnavailableError(here.view.why)
    asked, base = answered(here, BUNDLE, MultiDict(given))
    return bundle(asked, base, here.topic)


def _question(asked: Asked, token: str, topic: str) -> dict[str, Any]:
    narrowed = asked.narrowed
    return {
        "from": str(asked.first),
        "to": str(asked.last),
        "by": asked.by,
        "category": narrowed.category,
        "brand": narrowed.brand,
        "source": narrowed.source,
        "lang": narrowed.lang,
        "kinds": sorted(narrowed.kinds),
        "as_of": answers.maybe(asked.as_of),
        "at": token,
        "topic": topic,
    }


def _day(base: Basis, day: Day) -> dict[str, Any]:
    choice = day.choice
    run = base.view.run(base.state, choice)
    return {
        "day": str(choice.day),
        "layer": choice.layer,
        # without its row nobody knows which records a run read
        "final": run is not None and bool(run.position),
        "meaning": day.meaning,
        "run": _plain(run) if run is not None else None,
        "publication": _plain(day.publication) if choice.run is not None and day.publication is not None else None,
        "epoch": choice.epoch,
        "reason": day.reason,
    }


def _taxonomies(base: Basis) -> dict[str, Mapping[str, str]]:
    here = meaning.version()
    versions = sorted({day.meaning for day in base.days if day.meaning is not None})
    store = base.view.store()
    return {version: installed() if version == here else store.taxonomy(version) for version in versions}


def _plain(row: Run | Publication) -> dict[str, Any]:
    return {name: _value(value) for name, value in asdict(row).items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, date) else value


def _ids(asked: Asked, base: Basis, day: Day) -> bytes:
    found: dict[CellName, set[str]] = defaultdict(set)
    for cell in _cells(asked, base, day):
        if asked_about(asked.by, asked.narrowed, cell[:7]):
            found[cell[:7]].update(cell.ids)
    return cells_part(found)


def _cells(asked: Asked, base: Basis, day: Day) -> Iterator[CellIds]:
    store, choice, narrowed = base.view.store(), day.choice, asked.narrowed
    hours = hours_with_cells(base, choice, hours_of(choice.day))
    levels: list[tuple[str, str | None]]
    if asked.by == "category":
        assert day.counts is not None  # noqa: S101 - a day without has no ids
        known = base.view.keys.all()
        levels = [
            (name, narrowed.brand or NO_BRAND) for name in sorted({known[key].category for key in day.counts.key})
        ]
    else:
        # all brands of a drink, and the drink itself, lie side by side
        levels = [(narrowed.category or ANY, None)]
    for category, brand in levels:
        if choice.run is not None:
            yield from store.batch_ids(choice.run, hours, category, brand)
        elif choice.epoch is not None:
            yield from store.speed_ids(choice.epoch, hours, category, brand)
