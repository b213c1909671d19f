"""The web application over a store in memory: the real one but for the database behind its reader."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from flask.testing import FlaskClient

from drinkstream.cells import levels, pack
from drinkstream.coverage import Covered, Minute, summed
from drinkstream.difference import Change, Moved, Report
from drinkstream.errors import UnavailableError
from drinkstream.merge import Epoch, Publication, Snapshot
from drinkstream.reconcile import Attributed, Reconciliation
from drinkstream.settings import Settings
from drinkstream.share import Total
from drinkstream.store.read import Batch, CellCount, CellIds, EpochRow, Rejection, Run
from drinkstream.store.rows import first_minutes
from webapp import create_app
from webapp.pending import Pending
from webapp.serving import serving
from webapp.view import View

DAY, LIVE, BLIND = date(2017, 9, 14), date(2017, 9, 15), date(2017, 9, 16)
NOW = datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)

AT = Snapshot(
    {DAY: Publication(DAY, 1, "run-1", datetime(2017, 9, 15, 2, 30, tzinfo=UTC))}, Epoch("e1", "m1", frozenset([BLIND]))
).token
"""The token of the state that the store begins with."""

Posts = list[CellIds]


def post(when: str, post_id: str, source: str, kind: str, lang: str, *mentions: tuple[str | None, str | None]) -> Posts:
    """The cells of one post; `when` is '2017-09-14T08:01'."""
    blobs = (pack([post_id]),)
    return [
        CellIds(when[:13], int(when[14:]), category, brand, source, kind, lang, blobs)
        for category, brand in levels(mentions)
    ]


@dataclass
class Store:
    """What drinkstream.store.read.Reader answers, from lists.

    `gone` runs have no row, those in `status` are not complete, and the cells of those in `lost` are deleted; `away`
    makes every question fail, `away_for` some.
    """

    log: list[Publication] = field(default_factory=list)
    rows: list[EpochRow] = field(default_factory=list)
    runs: dict[str, Posts] = field(default_factory=dict)
    lives: dict[str, Posts] = field(default_factory=dict)
    ended: list[Batch] = field(default_factory=list)
    compared: dict[str, tuple[Reconciliation, list[Attributed]]] = field(default_factory=dict)
    feeds: list[Minute] = field(default_factory=list)
    changes: dict[str, tuple[Report, list[Change], list[Moved]]] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=lambda: {"2017-09-14": 4})
    rejected: dict[str, list[Rejection]] = field(default_factory=dict)
    taxonomies: dict[str, dict[str, str]] = field(default_factory=lambda: {"m1": {"taxonomy.toml": "# another time's"}})
    gone: set[str] = field(default_factory=set)
    status: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    away: bool = False
    away_for: str | None = None
    asked: list[str] = field(default_factory=list)

    def _here(self, question: str) -> None:
        self.asked.append(question)
        if self.away or (self.away_for is not None and question.startswith(self.away_for)):
            raise UnavailableError("the store is away")

    def pending(self, counted: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
        """What the archive says, for the run that this store has."""
        self._here("pending")
        assert counted == {"2017-09-14": {"cluster/posts/0": 9}}
        return self.waiting

    def publication_counts(self) -> Mapping[str, int]:
        self._here("publication_counts")
        return Counter(str(p.day)[:7] for p in self.log)

    def publications(self, months: Iterable[str]) -> list[Publication]:
        self._here("publications")
        return [p for p in self.log if str(p.day)[:7] in set(months)]

    def epochs(self) -> list[EpochRow]:
        self._here("epochs")
        return self.rows

    def run(self, day: date, run_id: str) -> Run | None:
        self._here(f"run {run_id}")
        if run_id in self.gone:
            return None
        position = {"cluster/posts/0": 9} if run_id == "run-1" else {}
        rejected = {one.reason + ("" if one.dated else " (no day)"): one.n for one in self.rejected.get(run_id, ())}
        status = self.status.get(run_id, "complete")
        return Run(day, run_id, "attempt", "airflow", "m1", status, NOW, NOW, position=position, rejected=rejected)

    def last_batch(self, epoch: str, day: date) -> int | None:
        self._here(f"last_batch {epoch}")
        return max((b.batch_id for b in self.ended if b.started_at.date() == day), default=None)

    def batches(self, epoch: str, day: date, after: int) -> list[Batch]:
        self._here(f"batches {epoch} {day}")
        return [b for b in self.ended if b.started_at.date() == day and b.batch_id > after]

    def day_totals(self, day: date, run_id: str) -> list[Total]:  # noqa: ARG002 - the reader's
        self._here(f"day_totals {run_id}")
        counts: dict[tuple[str, str, str, str, str], int] = defaultdict(int)
        for cell in self.runs[run_id]:
            counts[cell[2:7]] += len(cell.ids)
        return [Total(*key, n) for key, n in counts.items()]

    def batch_counts(self, run_id: str, hours: Sequence[str], categories: Sequence[str]) -> list[CellCount]:
        self._here(f"batch_counts {run_id}")
        return _counts(_within(self._cells(run_id), hours), categories)

    def batch_ids(self, run_id: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        self._here(f"batch_ids {run_id}")
        yield from _of_level(_within(self._cells(run_id), hours), category, brand)

    def speed_hours(self, epoch: str) -> frozenset[str]:
        self._here("speed_hours")
        return frozenset(cell.hour for cell in self.lives[epoch])

    def touched(self, epoch: str) -> dict[str, datetime]:
        """Posts came in the hour in which they were written."""
        self._here(f"touched {epoch}")
        return {cell.hour: datetime.fromisoformat(f"{cell.hour}:00").replace(tzinfo=UTC) for cell in self.lives[epoch]}

    def speed_counts(
        self, epoch: str, hours: Sequence[str], categories: Sequence[str], since: Mapping[str, int] | None = None
    ) -> list[CellCount]:
        self._here(f"speed_counts {epoch} {' '.join(hours)}")
        found = _counts(_within(self.lives[epoch], hours), categories)
        return [cell for cell in found if cell.minute >= (since or {}).get(cell.hour, 0)]

    def speed_ids(self, epoch: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        self._here(f"speed_ids {epoch}")
        yield from _of_level(_within(self.lives[epoch], hours), category, brand)

    def coverage_days(self, months: Iterable[str]) -> list[Covered]:
        self._here("coverage_days")
        return [one for one in summed(self.feeds) if str(one.day)[:7] in set(months)]

    def coverage_minutes(self, day: date) -> list[Minute]:
        self._here(f"coverage_minutes {day}")
        return [one for one in self.feeds if one.day == day]

    def rejections(self, run_id: str) -> list[Rejection]:
        self._here(f"rejections {run_id}")
        return self.rejected.get(run_id, [])

    def reconciliations(self, day: date) -> list[Reconciliation]:
        self._here(f"reconciliations {day}")
        return [one for one, _ in self.compared.values() if one.day == day]

    def reconciled_cells(self, day: date, run_id: str) -> Iterator[Attributed]:
        self._here(f"reconciled_cells {run_id}")
        assert self.compared[run_id][0].day == day
        yield from self.compared[run_id][1]

    def taxonomy(self, meaning: str) -> dict[str, str]:
        self._here("taxonomy")
        return self.taxonomies.get(meaning, {})

    def reports(self, day: date) -> list[Report]:
        self._here(f"reports {day}")
        return [report for report, _, _ in self.changes.values() if report.day == day]

    def changed_cells(self, day: date, run_id: str) -> Iterator[Change]:
        self._here(f"changed_cells {day} {run_id}")
        yield from self.changes[run_id][1]

    def moved_posts(self, day: date, run_id: str) -> Iterator[Moved]:
        self._here(f"moved_posts {day} {run_id}")
        yield from self.changes[run_id][2]

    def batch_minute(self, run_id: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]:
        self._here(f"batch_minute {run_id}")
        yield from _at(self._cells(run_id), hour, minute, categories)

    def _cells(self, run_id: str) -> Posts:
        return [] if run_id in self.lost else self.runs[run_id]

    def speed_minute(self, epoch: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]:
        self._here(f"speed_minute {epoch}")
        yield from _at(self.lives[epoch], hour, minute, categories)


def _at(cells: Posts, hour: str, minute: int, categories: Iterable[str]) -> Posts:
    return [cell for cell in cells if cell[:2] == (hour, minute) and cell.category in set(categories)]


def _of_level(cells: Posts, category: str, brand: str | None) -> Posts:
    return [cell for cell in cells if cell.category == category and brand in (None, cell.brand)]


def _within(cells: Posts, hours: Sequence[str]) -> Posts:
    return [cell for cell in cells if cell.hour in hours]


def _counts(cells: Posts, categories: Sequence[str]) -> list[CellCount]:
    counts: dict[tuple[str, int, str, str, str, str, str], int] = defaultdict(int)
    for cell in cells:
        if cell.category in categories:
            counts[cell[:7]] += len(cell.ids)
    return [CellCount(*key, n) for key, n in counts.items()]


def epoch(name: str, status: str, blind: frozenset[date] = frozenset(), retired_at: datetime | None = None) -> EpochRow:
    """A row of epochs that began at the start of the live day."""
    began = datetime(2017, 9, 15, 0, 0, 0, tzinfo=UTC)
    return EpochRow(name, status, "m1", "cluster", began, {}, {}, {}, 600, blind, "", retired_at)


def batch(number: int, ended: datetime | None, *hours: str) -> Batch:
    """A micro-batch that began with the live day's last minute before now; `hours` as they are stored."""
    return Batch(number, datetime(2017, 9, 15, 12, 34, 50, tzinfo=UTC), ended, ended, 10, 2, first_minutes(hours))


@pytest.fixture
def store() -> Store:
    """One published day, one live day, one that no layer can answer for.

    Published: coffee twice (once at Starbucks, once beside tea), tea twice, a repost about beer, Starbucks as a place.
    Live: a coffee just after midnight, a water of Perrier in this minute.
    """
    published = [
        *post("2017-09-14T08:01", "101", "x", "original", "en", ("coffee", "starbucks")),
        *post("2017-09-14T08:01", "102", "x", "reply", "en", ("coffee", None), ("tea", None)),
        *post("2017-09-14T09:30", "103", "demo", "original", "id", ("tea", None)),
        *post("2017-09-14T10:00", "104", "x", "repost", "en", ("beer", None)),
        *post("2017-09-14T11:00", "105", "x", "original", "en", (None, "starbucks")),
    ]
    live = [
        *post("2017-09-15T00:05", "201", "x", "original", "en", ("coffee", None)),
        *post("2017-09-15T12:34", "202", "demo", "quote", "pt", ("water", "perrier")),
    ]
    return Store(
        log=[Publication(DAY, 1, "run-1", datetime(2017, 9, 15, 2, 30, tzinfo=UTC), "nightly_share", "scheduled")],
        rows=[epoch("e1", "current", frozenset([BLIND]))],
        runs={"run-1": published},
        lives={"e1": live},
        ended=[batch(7, datetime(2017, 9, 15, 12, 34, 55, tzinfo=UTC), "2017-09-15T12")],
    )


@dataclass
class Clock:
    """The present instant, which a test may move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at NOW."""
    return Clock()


@dataclass(frozen=True)
class Web:
    """The application under test: a client, and its view, which looks at the store only when told to."""

    client: FlaskClient
    view: View
    pending: Pending

    def get(self, path: str) -> dict[str, object]:
        """The JSON of a path below /api/v1, which must be answered."""
        response = self.client.get(f"/api/v1/{path}")
        assert response.status_code == 200, response.text
        return response.get_json()

    def refused(self, path: str) -> str:
        """The message with which a path below /api/v1 is refused."""
        response = self.client.get(f"/api/v1/{path}")
        assert (response.status_code, list(response.get_json())) == (400, ["error"])
        return response.get_json()["error"]


@pytest.fixture
def web(store: Store, clock: Clock, tmp_path) -> Iterator[Web]:
    """The application over the store; after its first look the view looks again only at `view.look()`."""
    app = create_app(Settings(home=tmp_path, live_refresh=3600), lambda: store, clock, store.pending)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    here = serving(app)
    # its thread would count at a moment of its own
    app.before_request_funcs[None].remove(here.pending.start)
    yield Web(app.test_client(), here.view, here.pending)
    here.view.stop()
