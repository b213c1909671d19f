"""What a request asks: its parameters, checked, with a message that says what is allowed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, cast, get_args

from werkzeug.datastructures import MultiDict

from drinkstream.cells import ANY
from drinkstream.errors import BadInputError
from drinkstream.merge import days_between, instant
from drinkstream.post import REASONS
from drinkstream.reconcile import Cause
from drinkstream.share import By, Filter, kinds
from drinkstream.wire_values import language
from webapp.listing import MAX_DAYS, Place, place
from webapp.texts import MAX_TEXTS

Grain = Literal["day", "hour", "minute"]

DEFAULT_DAYS = {"day": 30, "hour": 7, "minute": 1}
MAX_IDS = 10_000
DEFAULT_IDS = 100
DEFAULT_CELLS = 1000
GRAIN_DAYS = {"day": MAX_DAYS, "hour": 31, "minute": 2}
MAX_LAST = 24 * 60

COMMON = frozenset(
    {"from", "to", "category", "brand", "source", "lang", "kind", "reposts", "as_of", "at", "format"},
)
SHARE = COMMON | {"by"}
BUNDLE = SHARE - {"format"}
TREND = COMMON | {"by", "grain", "last"}
POSTS = COMMON | {"limit", "after", "next", "period", "texts"}

REJECTIONS = frozenset({"from", "to", "reason", "format"})
RECONCILIATION = frozenset({"run", "cause", "limit", "format"})
DIFFERENCE = RECONCILIATION | {"texts"}

SOURCES = ("x", "bluesky", "mastodon", "demo")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_PERIOD = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2}))?)?Z?", re.ASCII)
_UNKNOWN = "und"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a question may use."""

    categories: tuple[str, ...]
    brands: tuple[str, ...]
    sources: tuple[str, ...] = SOURCES


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: days `first` to `last` (UTC, both included), what it is narrowed to, and how it is to be answered.

    `minutes` is the range of minutes (0..1440, end excluded) of its one day that posts are asked from; `texts` asks for
    their texts too.
    """

    first: date
    last: date
    narrowed: Filter
    by: By = "category"
    as_of: datetime | None = None
    at: str | None = None
    csv: bool = False
    grain: Grain = "day"
    last_minutes: int | None = None
    limit: int = DEFAULT_IDS
    after: Place | None = None
    minutes: tuple[int, int] = (0, 1440)
    texts: bool = False

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the range."""
        return days_between(self.first, self.last)

    def by_dimension(self, by: By) -> "Asked":
        """The same question, answered by another dimension."""
        return replace(self, by=by)


@dataclass(frozen=True, slots=True)
class AskedRejections:
    """A question about rejected records: of which days (UTC, both included; None: all), for which reason (or all)."""

    first: date | None
    last: date | None
    reason: str | None
    csv: bool


def parse_rejections(given: MultiDict[str, str]) -> AskedRejections:
    """The question in a request's parameters. Raises BadInputError for everything not allowed."""
    values = _single(given, REJECTIONS)
    first, last = _day(values, "from"), _day(values, "to")
    if first is not None and last is not None and first > last:
        raise BadInputError(f"from {first} lies after to {last}: both are days, and both are included")
    return AskedRejections(
        first, last, _one_of(values, "reason", REASONS), _one_of(values, "format", ("json", "csv")) == "csv"
    )


def parse_rejected_day(day: str, given: MultiDict[str, str]) -> AskedRejections:
    """The same of one day, which is in the path."""
    found = _day({"day": day}, "day")
    values = _single(given, REJECTIONS - {"from", "to"})
    return replace(parse_rejections(MultiDict(values)), first=found, last=found)


@dataclass(frozen=True, slots=True)
class AskedDifferences:
    """A question about how the layers differ on a day (UTC): in which run (None: the one in force), by which cause.

    `limit` is None where all cells are asked for.
    """

    day: date
    run: str | None
    cause: str | None
    limit: int | None
    csv: bool


def parse_differences(
    day: str, given: MultiDict[str, str], allowed: frozenset[str] = RECONCILIATION
) -> AskedDifferences:
    """The question in a path's day and a request's parameters. Raises BadInputError for everything not allowed."""
    values = _single(given, allowed)
    found = _day({"day": day}, "day")
    assert found is not None  # noqa: S101 - it is given
    cause = _one_of(values, "cause", [str(cause) for cause in Cause])
    csv = _one_of(values, "format", ("json", "csv")) == "csv"
    return AskedDifferences(found, values.get("run"), cause, _cells(values, csv, DEFAULT_CELLS), csv)


@dataclass(frozen=True, slots=True)
class AskedMoves:
    """A question about what a run of a day (UTC) changes: which run (None: the newest report), posts of which cause.

    `limit` is None where all cells are asked for.
    """

    day: date
    run: str | None
    cause: str | None
    limit: int | None
    texts: bool
    csv: bool


def parse_moves(day: str, given: MultiDict[str, str], allowed: frozenset[str] = DIFFERENCE) -> AskedMoves:
    """The question in a path's day and a request's parameters. Raises BadInputError for everything not allowed."""
    values = _single(given, allowed)
    found = _day({"day": day}, "day")
    assert found is not None  # noqa: S101 - it is given
    cause = _one_of(values, "cause", [str(cause) for cause in Cause if cause != Cause.SPEED_COULD_NOT_ANSWER])
    csv = _one_of(values, "format", ("json", "csv")) == "csv"
    if csv and cause is not None:
        raise BadInputError("cause: narrows the posts, and the CSV is of the cells, which have none: leave it out")
    limit = _cells(values, csv, DEFAULT_IDS)
    texts = _one_of(values, "texts", ("0", "1")) == "1"
    if texts and limit is not None and limit > MAX_TEXTS:
        raise BadInputError(f"limit: at most {MAX_TEXTS} with texts=1, not {limit}")
    return AskedMoves(found, values.get("run"), cause, limit, texts, csv)


def _cells(values: dict[str, str], csv: bool, default: int) -> int | None:
    """How many cells are asked for at most; None: all, since a file has nothing that would say that there are more."""
    return _whole(values, "limit", 1, MAX_IDS) or (None if csv else default)


def parse(
    given: MultiDict[str, str], allowed: frozenset[str], known: Vocabulary, days: Sequence[date], now: datetime
) -> Asked:
    """The question in the parameters of a request. An empty parameter counts as left out.

    `days` are those that have data, in order; without `to` the range ends at the last of them, without `from` it is
    DEFAULT_DAYS long. Raises BadInputError for everything that is not allowed.
    """
    values = _single(given, allowed)
    now_minute = now.replace(second=0, microsecond=0)
    last_minutes = _whole(values, "last", 1, MAX_LAST)
    grain = cast(Grain, _one_of(values, "grain", get_args(Grain)) or ("minute" if last_minutes else "day"))
    if last_minutes is not None:
        if grain != "minute" or "from" in values or "to" in values:
            raise BadInputError("last: minutes up to now, with grain=minute and without from and to")
        first, last = (now_minute - timedelta(minutes=last_minutes - 1)).date(), now.date()
    else:
        first, last = _range(values, days, now.date(), DEFAULT_DAYS[grain])
    if (last - first).days >= GRAIN_DAYS[grain] and "grain" in values:
        given_days = (last - first).days + 1
        raise BadInputError(f"from, to: at most {GRAIN_DAYS[grain]} days with grain={grain}, not {given_days}")
    asked = Asked(
        first=first,
        last=last,
        narrowed=_filter(values, known, brand_any="limit" in allowed),
        by=cast(By, _one_of(values, "by", get_args(By)) or "category"),
        as_of=_instant(values, "as_of"),
        at=values.get("at"),
        csv=_one_of(values, "format", ("json", "csv")) == "csv",
        grain=grain,
        last_minutes=last_minutes,
        limit=_whole(values, "limit", 1, MAX_IDS) or DEFAULT_IDS,
        texts=_one_of(values, "texts", ("0", "1")) == "1",
    )
    if asked.texts and asked.limit > MAX_TEXTS:
        raise BadInputError(f"limit: at most {MAX_TEXTS} with texts=1, not {asked.limit}")
    if asked.at is not None and asked.as_of is not None:
        raise BadInputError("at and as_of each name a state to answer from: give one of them")
    if asked.as_of is not None and asked.as_of > now:
        raise BadInputError(f"as_of: {values['as_of']} has not come yet; it is {instant(now)}")
    return _go_on(_narrow_to_period(asked, values), values)


def _single(given: MultiDict[str, str], allowed: frozenset[str]) -> dict[str, str]:
    if unknown := sorted(set(given) - allowed):
        raise BadInputError(f"{', '.join(unknown)}: not a parameter here; allowed are {', '.join(sorted(allowed))}")
    for name, values in given.lists():
        if len(values) > 1:
            raise BadInputError(f"{name}: given {len(values)} times; give it once")
    return {name: value for name, value in given.items() if value != ""}


def _range(values: dict[str, str], days: Sequence[date], today: date, default: int) -> tuple[date, date]:
    first, last = _day(values, "from"), _day(values, "to")
    if last is None:
        newest = min(days[-1], today) if days else today
        last = newest if first is None else max(newest, first)
    if first is None:
        first = date.fromordinal(max(1, last.toordinal() - default + 1))
    if first > last:
        raise BadInputError(f"from {first} lies after to {last}: both are days, and both are included")
    if (last - first).days >= MAX_DAYS:
        raise BadInputError(f"from, to: at most {MAX_DAYS} days, not {(last - first).days + 1}")
    return first, last


def _filter(values: dict[str, str], known: Vocabulary, brand_any: bool) -> Filter:
    category = _one_of(values, "category", known.categories)
    brands = (*known.brands, ANY) if brand_any else known.brands
    brand = _one_of(values, "brand", brands)
    if brand == ANY and category is not None:
        raise BadInputError("brand=* (any brand) counts without a category only: leave category out")
    return Filter(
        category,
        brand,
        _one_of(values, "source", known.sources),
        _lang(values),
        kinds(values.get("kind"), values.get("reposts")),
    )


def _lang(values: dict[str, str]) -> str | None:
    """A language in the one spelling in which posts have it."""
    tag = values.get("lang")
    found = None if tag is None else language(tag)
    if found == _UNKNOWN and tag is not None and tag.lower() != _UNKNOWN:
        raise BadInputError(f"lang: a language tag such as en or pt-BR, or {_UNKNOWN} (unknown), not {tag!r}")
    return found


def _go_on(asked: Asked, values: dict[str, str]) -> Asked:
    if "after" in values and "next" in values:
        raise BadInputError("after and next mean the same: give one of them")
    cursor = values.get("after", values.get("next"))
    if cursor is None:
        return asked
    after = place(cursor)
    if asked.as_of is not None or (asked.at is not None and asked.at != after.at):
        raise BadInputError("after: it goes on from an answer of another state; leave at and as_of out")
    # the days that were meant when the list began: where one is left out, there may be newer ones by now
    first, last = after.days
    begins, ends = "from" in values or "period" in values, "to" in values or "period" in values
    if (begins and asked.first != first) or (ends and asked.last != last):
        raise BadInputError(f"after: it goes on from an answer about {first} to {last}: leave from and to out")
    return replace(asked, first=first, last=last, after=after, at=after.at)


def _narrow_to_period(asked: Asked, values: dict[str, str]) -> Asked:
    text = values.get("period")
    if text is None:
        return asked
    match = _PERIOD.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        day = date.fromisoformat(match[1])
        hour, minute = match[2], match[3]
        if int(hour or 0) > 23 or int(minute or 0) > 59:
            raise ValueError
    except ValueError:
        raise BadInputError(
            f"period: a day, hour or minute (UTC) such as 2017-09-14T13 or 2017-09-14T13:05, not {text!r}"
        ) from None
    if "from" not in values and "to" not in values:
        asked = replace(asked, first=day, last=day)
    if not asked.first <= day <= asked.last:
        raise BadInputError(f"period: {day} does not lie in {asked.first} to {asked.last}")
    start = int(hour or 0) * 60 + int(minute or 0)
    length = 1440 if hour is None else 60 if minute is None else 1
    return replace(asked, first=day, last=day, minutes=(start, start + length))


def _day(values: dict[str, str], name: str) -> date | None:
    text = values.get(name)
    if text is None:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{name}: a day of the calendar as YYYY-MM-DD (UTC), not {text!r}") from None


def _instant(values: dict[str, str], name: str) -> datetime | None:
    text = values.get(name)
    if text is None:
        return None
    try:
        # in a query a + that is not escaped arrives as a space
        spelled = re.sub(r" (\d{2}:\d{2})$", r"+\1", text)
        if not _INSTANT.fullmatch(spelled):
            raise ValueError
        # what lies outside the calendar in UTC overflows
        return datetime.fromisoformat(spelled.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(f"{name}: an instant as in RFC 3339 such as 2026-01-31T08:00:00Z, not {text!r}") from None


def _one_of(values: dict[str, str], name: str, known: Sequence[str]) -> str | None:
    text = values.get(name)
    if text is not None and text not in known:
        raise BadInputError(f"{name}: one of {', '.join(known)}; not {text!r}")
    return text


def _whole(values: dict[str, str], name: str, least: int, most: int) -> int | None:
    text = values.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise BadInputError(f"{name}: a whole number from {least} to {most}, not {text!r}")
    return int(text)
