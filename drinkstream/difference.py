"""What a new run of a day would change, before it is published: counts and shares, and every post that moves. Pure.

cells of both runs    id by id                                                          `changes`
totals of both runs   count and share of each category and brand, old and new           `rows`
changes               the posts that move, each with all the cells that it loses, gains `moves`
a post's records      why it moves, and by which rules it counted and counts            `explain`

The old run's ids with all changes made to them are the new run's, in every cell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, islice, zip_longest
from typing import NamedTuple

from drinkstream.cells import ANY, levels
from drinkstream.classify import Classifier
from drinkstream.decision import Decision
from drinkstream.post import Post
from drinkstream.reconcile import Cause, CellName, Known, Place, Version, cells_of, chosen, compare, in_position
from drinkstream.share import Filter, Total, count, kinds, shares


@dataclass(frozen=True, slots=True)
class Change:
    """One cell whose ids differ between the old and the new run; ids are in the order of cells.py's codec."""

    cell: CellName
    old_n: int
    new_n: int
    lost: tuple[str, ...]
    gained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Posts of one category, of one brand, or of a brand with a category (both given): without reposts, old and new.

    `whole`: what the share divides by, as the page does: posts with any drink, with any brand, with the category.
    Neither given: the posts that name any drink.
    """

    category: str | None
    brand: str | None
    old_n: int
    new_n: int
    old_whole: int
    new_whole: int

    @property
    def old_share(self) -> float | None:
        """None where nothing was there to divide by."""
        return self.old_n / self.old_whole if self.old_whole else None

    @property
    def new_share(self) -> float | None:
        """None where nothing is there to divide by."""
        return self.new_n / self.new_whole if self.new_whole else None


@dataclass(frozen=True, slots=True)
class Move:
    """A post that moves, with all the cells that it loses and gains."""

    source: str
    id: str
    lost: frozenset[CellName]
    gained: frozenset[CellName]


class Said(NamedTuple):
    """What a rule made of an alias at text[start:end]: it counts; or, without category and brand, it is held back.

    Start and end of what is held back are not known. The alias itself is not kept: texts stay in the archive.
    """

    rule: str
    category: str | None = None
    brand: str | None = None
    start: int | None = None
    end: int | None = None

    @property
    def counts(self) -> bool:
        """Whether the rule lets the alias count."""
        return self.category is not None or self.brand is not None


@dataclass(frozen=True, slots=True)
class Moved:
    """A move explained: `was` and `becomes` are what counted or held the post then and now, as far as they differ.

    `before` and `after`: the record that each run takes (None: none). A side is `told` where the rules known of it give
    its cells; where not, other code read or classified the post, or its taxonomy was not kept.
    """

    move: Move
    cause: Cause
    before: Place | None
    after: Place | None
    was: tuple[Said, ...]
    becomes: tuple[Said, ...]
    was_told: bool
    becomes_told: bool


class Ruled(NamedTuple):
    """So many explained posts moved for one cause, by the same rules then and now."""

    cause: str
    was: tuple[str, ...]
    becomes: tuple[str, ...]
    posts: int


@dataclass(frozen=True, slots=True)
class Side:
    """A run: by which meaning it counted, its next offsets by `cluster/topic/partition`, and its rules where kept."""

    meaning: str
    position: Mapping[str, int]
    rules: Classifier | None

    def saw(self, place: Place) -> bool:
        """Whether the run read the record."""
        return in_position(self.position, place)

    def takes(self, post: Known) -> Version | None:
        """The version that the run counts; None where it has none, or knew of a delete."""
        if post.orders(self.saw):
            return None
        return chosen([version for version in post.versions if self.saw(version.place)])


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of a day would change against the run in force at `at` (UTC); `seq` is the latter's publication.

    A day that was never published has seq 0 and an empty `old_run`: nothing moves, all is new. `explained`: how many of
    the `moved` posts were looked up, which `causes` and `rules` are about; all other figures are exact.
    """

    day: date
    run_id: str
    at: datetime
    old_run: str
    seq: int
    old_meaning: str
    new_meaning: str
    cells: int
    moved: int
    explained: int
    rows: tuple[Row, ...]
    causes: Mapping[str, int]
    rules: tuple[Ruled, ...]

    @property
    def published(self) -> bool:
        """Whether the day has been published, so that there is an old number."""
        return self.seq > 0


def changes(old: Mapping[CellName, Iterable[str]], new: Mapping[CellName, Iterable[str]]) -> tuple[Change, ...]:
    """The cells whose sets of ids differ, in order; a cell that one run lacks is an empty set there."""
    return tuple(
        Change(found.cell, found.speed_n, found.batch_n, found.only_speed, found.only_batch)
        for found in compare(batch=new, speed=old)
    )


def moves(report: Iterable[Change]) -> tuple[Move, ...]:
    """Every post that moves, by source and id."""
    lost: dict[tuple[str, str], list[CellName]] = defaultdict(list)
    gained: dict[tuple[str, str], list[CellName]] = defaultdict(list)
    for change in report:
        for ids, into in ((change.lost, lost), (change.gained, gained)):
            for post_id in ids:
                into[change.cell[4], post_id].append(change.cell)
    return tuple(
        Move(*name, frozenset(lost.get(name, ())), frozenset(gained.get(name, ())))
        for name in sorted(lost.keys() | gained.keys())
    )


def picked(moved: Sequence[Move], limit: int) -> tuple[Move, ...]:
    """At most `limit` of the moves: some of every kind (by the levels lost and gained), rather than the first ids."""
    if len(moved) <= limit:
        return tuple(moved)
    alike: dict[tuple[frozenset[tuple[str, str]], ...], list[Move]] = defaultdict(list)
    for move in moved:
        alike[tuple(frozenset((cell[2], cell[3]) for cell in cells) for cells in (move.lost, move.gained))].append(move)
    in_turn = (move for one_of_each in zip_longest(*alike.values()) for move in one_of_each if move is not None)
    return tuple(sorted(islice(in_turn, limit), key=lambda move: (move.source, move.id)))


def rows(old: Sequence[Total], new: Sequence[Total]) -> tuple[Row, ...]:
    """Count and share of any drink, each category, each brand and each brand with a category, as the page has them."""
    plain = Filter(kinds=kinds(None, None))
    drinks = count(old, plain), count(new, plain)
    found = [Row(None, None, *drinks, *drinks)]
    categories = {total.category for total in chain(old, new)} - {ANY}
    questions = [("category", plain), ("brand", plain)]
    questions += [("brand", Filter(category=category, kinds=plain.kinds)) for category in sorted(categories)]
    for by, question in questions:
        before, after = (shares(totals, by, question) for totals in (old, new))  # type: ignore[arg-type]
        was, becomes = ({(row.category, row.brand): row.n for row in one.rows} for one in (before, after))
        for name in sorted(was.keys() | becomes.keys(), key=lambda name: (name[0] or "", name[1] or "")):
            found.append(Row(*name, was.get(name, 0), becomes.get(name, 0), before.total, after.total))
    return tuple(found)


def explain(move: Move, post: Known, read: Mapping[Place, Post], old: Side, new: Side, installed: str) -> Moved:
    """Why a post moves and by which rules. `read`: its records as posts, as the installed meaning reads them."""
    before, after = old.takes(post), new.takes(post)
    was, was_told = _said(old, before, read, move.lost, move.gained)
    becomes, becomes_told = _said(new, after, read, move.gained, move.lost)
    if before is not None and after is not None and before.place == after.place:
        # of one text only what the rules say otherwise
        was, becomes = _without(was, becomes), _without(becomes, was)
    else:
        # what is held back in a text that the other run does not have moved nothing
        was, becomes = ([one for one in side if one[0].counts] for side in (was, becomes))
    return Moved(
        move,
        cause(move, post, old, new, installed),
        before.place if before is not None else None,
        after.place if after is not None else None,
        tuple(dict.fromkeys(said for said, _ in was)),
        tuple(dict.fromkeys(said for said, _ in becomes)),
        was_told,
        becomes_told,
    )


def cause(move: Move, post: Known, old: Side, new: Side, installed: str) -> Cause:
    """The one reason why a post moves.

    What a run counted by the installed meaning is checked against the records, which what it counted by another one
    cannot be.
    """
    if post.erased:
        # its records no longer say what it counted in
        return Cause.DELETED if move.lost else Cause.ARRIVED_AFTER
    before, after = old.takes(post), new.takes(post)
    checked = ((old, before, move.lost, move.gained), (new, after, move.gained, move.lost))
    for side, version, has, lacks in checked:
        cells = version.cells if version is not None else frozenset()
        if side.meaning == installed and (not has <= cells or lacks & cells):
            return Cause.UNEXPLAINED
    if post.orders(new.saw) - post.orders(old.saw):
        return Cause.DELETED
    if after is not None and not old.saw(after.place):
        if before is None:
            return Cause.ARRIVED_AFTER
        return Cause.EDITED if after.edited else Cause.OTHER_VERSION
    if old.meaning == new.meaning or not post.versions:
        return Cause.UNEXPLAINED
    # it counts wherever its record puts it, and counted nowhere
    is_new = after is not None and not move.lost and move.gained == after.cells
    return Cause.UNPARSABLE_THEN if is_new and after is not None and after.rejected_then else Cause.MEANING_CHANGED


def ruled(explained: Iterable[Moved]) -> tuple[Ruled, ...]:
    """How many posts moved for which cause by which rules, the most first."""
    counted = Counter(
        (str(one.cause), in_rules(one.was, one.was_told), in_rules(one.becomes, one.becomes_told)) for one in explained
    )
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Ruled(*name, n) for name, n in ordered)


def tally(explained: Iterable[Moved]) -> dict[str, int]:
    """Posts by cause, every cause of a move named."""
    found = Counter(one.cause for one in explained)
    return {str(why): found[why] for why in Cause if why != Cause.SPEED_COULD_NOT_ANSWER}


def in_rules(said: Iterable[Said], told: bool) -> tuple[str, ...]:
    """What one side says of a post as short texts: 'brands.pepsi', 'held by traps.pepsi-center', or that it is open."""
    if not told:
        return ("unknown",)
    return tuple(sorted({one.rule if one.counts else f"held by {one.rule}" for one in said}))


Spoken = tuple[Said, str]
"""What was said, and of which alias: to tell apart what is held back, whose place is not known."""


def _said(
    side: Side,
    version: Version | None,
    read: Mapping[Place, Post],
    has: frozenset[CellName],
    lacks: frozenset[CellName],
) -> tuple[list[Spoken], bool]:
    """What a side's rules say of the version that it takes, and whether that gives what the side has and lacks."""
    if version is None:
        return [], not has
    post = read.get(version.place)
    if post is None or side.rules is None:
        return [], False
    decision = side.rules.decide(post.text, post.lang)
    cells = cells_of(post, levels((mention.category, mention.brand) for mention in decision.mentions))
    if not has <= cells or lacks & cells:
        return [], False
    return list(_spoken(decision)), True


def _spoken(decision: Decision) -> Iterator[Spoken]:
    for mention in decision.mentions:
        yield Said(mention.rule, mention.category, mention.brand, mention.start, mention.end), mention.alias
    for held in decision.held:
        yield Said(held.rule), held.alias


def _without(spoken: Iterable[Spoken], other: Iterable[Spoken]) -> list[Spoken]:
    known = set(other)
    return [one for one in spoken if one not in known]
