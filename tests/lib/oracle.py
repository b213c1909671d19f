"""The truth that both layers are held against, worked out the slow and obvious way from the records themselves.

Nothing here comes from the program: this file imports nothing of it, and was written from the design, not from the
code. It is for tests of at most some hundred thousand records. It knows the wire shapes of X (v1.1 and v2) as far as
they are well typed: a record whose known fields hold another type than documented is out of its reach.

    records = [Record(b'{"data":...}', "x", append_ms, partition, offset), ...]  # after the split of pages
    label = {"flat white please": {("coffee", None)}}.get  # text -> mentions, given by the test
    speed(records, label)[("2017-09-14", "00:47", "x", "coffee", "", "original", "en")] == {"908130000000000000"}
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from tests.lib.oracle_wire import Read, Record, read, split

__all__ = [
    "Cell",
    "Cells",
    "Label",
    "Mentions",
    "Read",
    "Record",
    "batch",
    "classes",
    "count",
    "only",
    "read",
    "share",
    "speed",
    "split",
]

Mentions = set[tuple[str | None, str | None]]  # (category or none, brand or none)
Label = Callable[[str], Mentions | None]
Cell = tuple[str, str, str, str, str, str, str]  # day, minute HH:MM, source, category, brand, kind, lang
Cells = dict[Cell, set[str]]

# ---------------------------------------------------------------------------------------------- the three truths


def classes(records: Iterable[Record]) -> Counter[str]:
    """How many records are posts, tombstones, notices and rejected.<reason>."""
    return Counter(read(record).what for record in records)


def speed(records: Iterable[Record], label: Label) -> Cells:
    """The cells as the speed layer must show them: every version and duplicate counts wherever it falls."""
    cells: Cells = defaultdict(set)
    for record in records:
        post = read(record)
        if post.what == "post":
            add(cells, record.source, post, label)
    return dict(cells)


def batch(records: Iterable[Record], label: Label) -> Cells:
    """The cells as a published day must show them: one version of each post, and no post that was deleted.

    A delete may name a post by any id that an archived version of it has or tells.
    """
    versions, called = defaultdict(list), defaultdict(set)
    deleted = set()
    for record in records:
        found = read(record)
        if found.what == "post":
            place = (record.append_ms, record.partition, record.offset)
            versions[day(found.ms), record.source, found.id].append((place, found))
            called[record.source, found.id] |= {found.id, *found.others}
        elif found.what == "tombstone" and found.deletes:
            deleted.add((record.source, found.id))
    cells: Cells = defaultdict(set)
    for (_, source, post_id), delivered in versions.items():
        if not any((source, one) in deleted for one in called[source, post_id]):
            add(cells, source, chosen(delivered), label)
    return dict(cells)


def chosen(delivered: list[tuple[tuple[int, int, int], Read]]) -> Read:
    """The version that counts: the last one that is an edit, or without any the first one."""
    in_order = sorted(delivered, key=lambda one: one[0])
    edits = [post for _, post in in_order if post.version != post.id]
    return edits[-1] if edits else in_order[0][1]


def add(cells: Cells, source: str, post: Read, label: Label) -> None:
    """Put a post's id into each cell that it falls in."""
    for category, brand in levels(label(post.text) or set()):
        cells[day(post.ms), minute(post.ms), source, category, brand, post.kind, post.lang].add(post.id)


def levels(mentions: Mentions) -> set[tuple[str, str]]:
    """The (category, brand) pairs that a post with these mentions counts under."""
    found = set()
    for category, brand in mentions:
        if category:
            found |= {("*", ""), (category, "")}
        if brand:
            found |= {("*", "*"), ("*", brand)}
        if category and brand:
            found.add((category, brand))
    return found


def day(ms: int) -> str:
    """2017-09-14, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).date().isoformat()


def minute(ms: int) -> str:
    """00:47, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%H:%M")


# ---------------------------------------------------------------------------------------------------- the shares


def count(cells: Cells, category: str, brand: str, kinds: Iterable[str] = ("original", "reply", "quote")) -> int:
    """Posts counted at one level, over all cells given; reposts only where `kinds` names them."""
    wanted = set(kinds)
    return sum(len(ids) for cell, ids in cells.items() if cell[3:5] == (category, brand) and cell[5] in wanted)


def only(cells: Cells, **want: str) -> Cells:
    """The cells of one day, minute, source or lang: `only(cells, day="2017-09-14", source="x")`."""
    place = {"day": 0, "minute": 1, "source": 2, "lang": 6}
    return {cell: ids for cell, ids in cells.items() if all(cell[place[name]] == value for name, value in want.items())}


def share(
    cells: Cells,
    by: str,
    category: str | None = None,
    brand: str | None = None,
    kinds: Iterable[str] = ("original", "reply", "quote"),
) -> tuple[int, dict[str, tuple[int, float, float]]]:
    """(denominator, {category or brand: (n, share, mix)}) with every n above 0.

    By category the denominator is all posts with a drink (or with the brand asked for), by brand all posts with a brand
    (or with the drink asked for). The filter on what `by` names selects rows only when all is computed.
    """
    kinds = tuple(kinds)
    if by == "category":
        whole = count(cells, "*", brand or "", kinds)
        names = {cell[3] for cell in cells} - {"*"}
        numbers = {name: count(cells, name, brand or "", kinds) for name in names}
        asked = category
    else:
        whole = count(cells, category, "", kinds) if category else count(cells, "*", "*", kinds)
        names = {cell[4] for cell in cells} - {"", "*"}
        numbers = {name: count(cells, category or "*", name, kinds) for name in names}
        asked = brand
    together = sum(numbers.values())
    rows = {name: (n, n / whole, n / together) for name, n in numbers.items() if n}
    return whole, {name: row for name, row in rows.items() if asked is None or name == asked}
