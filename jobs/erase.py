"""Erase posts for good: their text leaves the archive, and no record of theirs is ever archived with it again.

The posts are named, or derived: all posts of a user by the author that their lines name. They come onto the erasure
list first, which the archive's query obeys from then on; then every record of theirs is replaced by an order to leave
the post out, and the files that held the text are deleted. Repeated for the same reason, as after it was cut off, it
takes up where it ended and says the same: what it had found, its own work may have made unfindable.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from drinkstream.archive import Archive, Row
from drinkstream.archive_change import ORPHANED_FOR, Removal, drop_orphans, erase, of_keys, vacuum
from drinkstream.archive_search import WORD
from drinkstream.command import exit_code
from drinkstream.edits import TIMED, time_in_id
from drinkstream.erasures import Erasures
from drinkstream.errors import BadInputError
from drinkstream.merge import instant
from drinkstream.post import NO_DAY, Post, day_of, post_of, unread
from drinkstream.settings import Settings
from drinkstream.why import parse
from drinkstream.wire_x_inside import author, inside, reposted
from drinkstream.wire_x_inside import versions as line_versions

EDITED_WITHIN_MS = 86_400_000
"""X lets a post be edited for an hour, and the demo for three."""

_BETWEEN = re.compile(r"[\s,;]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """The keys to erase: of the posts, their reposts, and lines of theirs that could not be read when they came.

    `carriers` are other posts, as quotes, whose lines hold a text of these: key and the posts that it carries.
    `versions` are the posts by the id of each version; `unknown` those that were named and that no record names.
    """

    keys: frozenset[str]
    carriers: dict[str, frozenset[str]] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{path} is not UTF-8 (byte {error.start + 1}): nothing was erased, save it as UTF-8"
        ) from None


def main(argv: list[str] | None = None) -> int:
    """Erases what the arguments name; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.argument("posts", nargs=-1)
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file of posts.")
@click.option("--posts", "listed", default="", help="Posts with spaces, commas or line feeds between them.")
@click.option("--user", default="", help="All posts of this user, source:id, that the archive's lines name as theirs.")
@click.option("--why", default="", help="Reason, kept on the erasure list; the same goes on.")
@click.option("--carriers/--no-carriers", help="Erase also other posts that carry such a text, as quotes do.")
@click.option("--again", is_flag=True, help="Apply the whole erasure list once more instead.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
def run(
    posts: tuple[str, ...],
    path: Path | None,
    listed: str,
    user: str,
    why: str,
    carriers: bool,
    again: bool,
    dry_run: bool,
) -> None:
    """Erase POSTS (source:id) from the archive for good."""
    settings, now = Settings.load(), datetime.now(UTC)
    if again:
        if posts or path or listed or user or carriers or dry_run:
            raise BadInputError(
                "--again applies the list as it is: name no posts, no --carriers and no --dry-run with it"
            )
        orders = Erasures.beside(settings.archive).orders()
        removal = erase(settings.archive, [order.key for order in orders], now)
        delete_files(settings.archive)
        tell(settings, removal)
        return
    named = asked([*posts, *_BETWEEN.split(listed), *(_BETWEEN.split(_text(path)) if path else ())])
    if not named and not user:
        raise BadInputError("name posts as source:id, a --file of them, or a --user as source:id")
    if not why.strip() and not dry_run:
        raise BadInputError("give the reason with --why: it is kept on the erasure list")
    archive, erasures = Archive(settings.archive), Erasures.beside(settings.archive)
    # all keys of a request come onto the list before any record goes, so none is missing here where one has gone
    begun = frozenset(order.key for order in erasures.orders() if order.why == why)
    if begun:
        print(f"begun={len(begun)}: so many keys are on the list for this reason already")
    if user:
        named |= of_user(archive, settings.posts_topic, user, begun)
    found = look(archive, settings.posts_topic, named)
    keys = found.keys | begun | (found.carriers.keys() if carriers else frozenset())
    for key, held in sorted(found.carriers.items()):
        note = "" if carriers else ": not erased, see --carriers"
        print(f"{key} carries the text of {', '.join(sorted(held))}{note}")
    for key in sorted(found.unknown):
        print(f"{key}: no record in the archive names it{' any more' if key in begun else ': is the id right?'}")
    if dry_run:
        for key in sorted(keys):
            print(f"{key}: would be erased")
        return
    new = erasures.order(sorted(keys), now, why)
    print(f"listed={len(keys)} new={len(new)}", flush=True)
    erase(settings.archive, keys, now)
    delete_files(settings.archive)
    tell(settings, of_keys(settings.archive, keys))


def asked(written: Iterable[str]) -> frozenset[str]:
    """The posts that were named. Raises BadInputError for what names none."""
    posts = frozenset(":".join(parse(text)) for text in written if text)
    if lines := sorted(key for key in posts if unread(key)):
        raise BadInputError(f"{lines[0]} is the key of a line that could not be read, not a post: name the post")
    return posts


def of_user(archive: Archive, topic: str, user: str, begun: frozenset[str] = frozenset()) -> frozenset[str]:
    """The posts in the archive that a user (`source:id`) wrote.

    Raises BadInputError where there are none, unless `begun` says that an earlier attempt has found some: the lines
    that it erased name nobody any more.
    """
    source, number = parse(user)
    found = frozenset(
        about
        for row in archive.containing(topic, [number.encode()])
        if (about := _post(row)) is not None and about.startswith(f"{source}:") and author(row.value or b"") == number
    )
    if not found and not begun:
        raise BadInputError(f"no line in the archive names {user} as its author: name the posts instead")
    print(f"user={user} posts={len(found)}", flush=True)
    return found


def look(archive: Archive, topic: str, named: frozenset[str]) -> Found:
    """Every key under which a text of the posts `named`, each by any of its versions, lies in the archive."""
    found = Found(frozenset(), versions=named)
    known: frozenset[str] = frozenset()
    # the other versions of an edited post, which a first look tells, have reposts and quotes of their own
    while found.versions != known:
        known = found.versions
        found = _look(archive, topic, named, known)
    return found


def _look(archive: Archive, topic: str, named: frozenset[str], known: frozenset[str]) -> Found:
    keys, carriers, versions = set(named), dict[str, frozenset[str]](), set(known)
    met = {row.key for row in archive.keyed(named)}
    for row in archive.containing(topic, {key.partition(":")[2].encode() for key in known}, *_days(archive, known)):
        if row.key is None:
            continue
        source, value = row.key.partition(":")[0], row.value or b""
        if unread(row.key):
            # nobody can say what it holds, but it names the post
            if held := _keys(source, (word.decode() for word in WORD.findall(value))) & known:
                keys.add(row.key)
                met |= held
            continue
        own, again, held = (_keys(source, ids(value)) & known for ids in (line_versions, reposted, inside))
        if own and row.key in (every := _keys(source, line_versions(value))):
            keys.add(row.key)
            versions |= every
        elif again:
            keys.add(row.key)  # its text is that of the post
        elif held or own:
            carriers[row.key] = carriers.get(row.key, frozenset()) | held | own
        met |= own | again | held
    return Found(
        frozenset(keys),
        {key: held for key, held in carriers.items() if key not in keys},
        frozenset(versions),
        named - met,
    )


def delete_files(uri: str) -> None:
    """Deletes what an erasure replaced, and every file with an older copy of it, however long ago it was replaced."""
    vacuum(uri)
    # the log forgets what was replaced, in time, whether or not anybody has deleted it by then
    drop_orphans(uri, ORPHANED_FOR)


def tell(settings: Settings, removal: Removal) -> None:
    """Says what was erased, and what still has to follow; the last line is the sum."""
    for day, n in sorted(removal.days.items()):
        print(f"day={day} records={n}")
    if removal.newest_ms is not None:
        ends = _EPOCH + timedelta(milliseconds=removal.newest_ms) + timedelta(days=settings.retention_days + 1)
        print(f"Kafka lets go of the last of these records by {instant(ends)}")
    days = ",".join(day for day in sorted(removal.days) if day != NO_DAY)
    if days:
        print(f"recompute {days} to take these posts out of their numbers")
    print(f"erased={len(removal.places)} records")


def _post(row: Row) -> str | None:
    record = row.record()
    return post_of(record) if isinstance(record, Post) else None


def _keys(source: str, ids: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{source}:{one}" for one in ids)


def _days(archive: Archive, named: frozenset[str]) -> tuple[str, ...]:
    """The days under which a line can carry one of the posts: none is older than the post, where its id tells.

    A later version lies under the day of the first, which may be the one before its own.
    """
    times = [time_in_id(*key.split(":", 1)) for key in named if key.partition(":")[0] in TIMED]
    known = [ms for ms in times if ms is not None]
    if len(known) < len(named):
        return ()
    first = day_of(max(min(known, default=0) - EDITED_WITHIN_MS, 0))
    return tuple(day for day in archive.days() if day == NO_DAY or day >= first)


if __name__ == "__main__":
    sys.exit(main())
