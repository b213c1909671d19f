"""The accounting: whether every record that Kafka took in is archived once, waits, or lies in a recorded gap.

    records in = posts + tombstones + notices + rejected + not yet archived + lost in gaps

is printed for the posts, checked partition by partition, and anything that does not add up ends with exit code 6.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from drinkstream.archive import CLASSES, Archive, Class
from drinkstream.errors import DrinkStreamError, IntegrityError, UnavailableError
from drinkstream.positions import Held, Ledger, Positions, Span, furthest, missing
from drinkstream.settings import Settings
from streaming.offsets import KafkaOffsets, append_times, look


@dataclass(frozen=True, slots=True)
class TopicAccount:
    """One topic's records: those that came `into` Kafka since it was made, and where each of them is now.

    `into` = `archived` + `waiting` + `gaps`, unless some are `missing` or archived twice (`duplicates`), or Kafka lost
    records (`fallen`: where it ends now). `classes` covers the archived rows; the status lines' topic has none.
    """

    topic: str
    into: int
    archived: int
    waiting: int
    gaps: int
    duplicates: int
    missing: tuple[Span, ...]
    classes: Mapping[Class, int] | None
    fallen: tuple[str, ...] = ()

    def faults(self) -> list[str]:
        """What does not add up, in words; an empty list is what there should be."""
        found = [f"not archived, not waiting, in no gap: {span} ({span.size} records)" for span in self.missing]
        found += [f"Kafka ends before what is archived: {place}: see the log of `archive`" for place in self.fallen]
        if self.duplicates:
            found.append(f"{self.topic}: {self.duplicates} rows repeat an offset that is archived already")
        if self.classes is not None and (classed := sum(self.classes.values())) != self.archived:
            found.append(f"{self.topic}: {self.archived} rows archived, but {classed} of them have a class")
        rest = self.into - (self.archived - self.duplicates) - self.waiting - self.gaps
        if rest != sum(span.size for span in self.missing):
            found.append(f"{self.topic}: {rest} records too many in Kafka's count against the sum of their places")
        return found


def account(
    kafka: KafkaOffsets,
    topic: str,
    reached: Positions,
    held: Mapping[tuple[str, str, int], Held],
    gaps: tuple[Span, ...],
    classes: Mapping[Class, int] | None,
) -> TopicAccount:
    """The account of `topic`. `reached` must have been read before `held`, and that before `kafka`: each only grows."""
    places = [place for place in kafka.end if place[0] == topic]
    here = {place: held[kafka.cluster, *place] for place in places if (kafka.cluster, *place) in held}
    until = {
        place: max(reached.get(place, 0), here[place].islands[-1].until if place in here else 0) for place in places
    }
    # one that was recorded after `reached` was read lies beyond it, and waits as far as this account goes
    met = [
        gap for gap in gaps if gap.cluster == kafka.cluster and gap.until <= until.get((gap.topic, gap.partition), 0)
    ]
    return TopicAccount(
        topic=topic,
        into=sum(kafka.end[place] for place in places),
        archived=sum(rows.rows for rows in here.values()),
        waiting=sum(kafka.end[place] - until[place] for place in places),
        gaps=sum(gap.size for gap in met),
        duplicates=sum(rows.duplicates for rows in here.values()),
        missing=tuple(
            hole for place in places for hole in missing(here.get(place), (kafka.cluster, *place), until[place], met)
        ),
        classes=classes,
        fallen=tuple(
            f"{place[0]}/{place[1]} at {kafka.end[place]}, not {until[place]}"
            for place in places
            if kafka.end[place] < until[place]
        ),
    )


def figures(settings: Settings) -> dict[str, Any]:
    """The whole accounting as JSON-able values. Raises UnavailableError where Kafka does not answer."""
    now = datetime.now(UTC)
    ledger, archive = Ledger.beside(settings.archive), Archive(settings.archive)
    cluster = look(settings.bootstrap, _topics(settings)).cluster
    reached = ledger.positions(cluster)
    gaps = tuple(gap.span for gap in ledger.gaps())
    if archive.exists():
        archive = archive.at_version(archive.version())
        held, classes = archive.held(), archive.classes(settings.posts_topic, cluster)
    else:
        held, classes = {}, Counter()
    kafka = look(settings.bootstrap, _topics(settings))
    accounts = [
        account(kafka, settings.posts_topic, reached, held, gaps, classes),
        account(kafka, settings.status_topic, reached, held, gaps, None),
    ]
    behind = _behind(kafka, furthest(reached, _ends(held, cluster)))
    oldest = min(append_times(settings.bootstrap, behind).values(), default=None)
    return {
        "at": now.isoformat(timespec="seconds"),
        "cluster": cluster,
        "archive_version": archive.pinned,
        "lag_seconds": 0.0 if oldest is None else round(max(0.0, now.timestamp() - oldest / 1000), 1),
        "topics": {a.topic: _topic_figures(a, kafka) for a in accounts},
        "sources": _by_source(classes),
        "gaps": [_gap_figures(gap.span) | {"when": gap.when} for gap in ledger.gaps()],
        "earlier_clusters": _earlier(held, cluster),
        "faults": [fault for a in accounts for fault in a.faults()] + _earlier_faults(held, cluster, gaps),
    }


def report(settings: Settings) -> str:
    """The accounting as a text for a person. Raises IntegrityError, whose message is that text, if it does not add up.

    Raises UnavailableError where Kafka does not answer.
    """
    found = figures(settings)
    text = render(found, settings.posts_topic)
    if found["faults"]:
        raise IntegrityError(text)
    return text


def render(found: Mapping[str, Any], posts_topic: str) -> str:
    """`figures` as text: the sum line by line, the sources, the other topics, and what does not add up."""
    posts = found["topics"][posts_topic]
    classes = posts["classes"]
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in classes["rejected"].items())
    lag = f"the oldest came {found['lag_seconds']:,} s ago" if posts["waiting"] else ""
    lines = [
        f"{f'records in ({posts_topic})':<21}{posts['into']:>14,}",
        f"  = posts            {classes['post']:>14,}",
        f"  + tombstones       {classes['tombstone']:>14,}",
        f"  + notices          {classes['notice']:>14,}",
        f"  + rejected         {sum(classes['rejected'].values()):>14,}  {reasons}",
        f"  + not yet archived {posts['waiting']:>14,}  {lag}",
        f"  + lost in gaps     {posts['gaps']:>14,}",
        "",
        f"{'source':<12}{'posts':>12}{'tombstones':>12}{'notices':>12}{'rejected':>12}",
    ]
    for source, row in found["sources"].items():
        cells = "".join(f"{row[kind]:>12,}" for kind in CLASSES[:3])
        lines.append(f"{source or '(none)':<12}{cells}{sum(row['rejected'].values()):>12,}")
    lines.append("")
    for topic, row in found["topics"].items():
        if topic != posts_topic:
            places = f"{row['archived']:,} archived + {row['waiting']:,} waiting + {row['gaps']:,} lost in gaps"
            lines.append(f"{topic}: {row['into']:,} in = {places}")
    for row in found["earlier_clusters"]:
        lines.append(f"earlier Kafka {row['cluster']}: {row['archived']:,} archived")
    for gap in found["gaps"]:
        place = f"{gap['topic']}/{gap['partition']} offsets {gap['from']} to {gap['until'] - 1}"
        lines.append(f"GAP {place}, met {gap['when']}")
    lines += [f"DOES NOT ADD UP: {fault}" for fault in found["faults"]] or [
        "adds up: every record is accounted for once"
    ]
    return "\n".join(line.rstrip() for line in lines)


def await_archived(settings: Settings, seconds: float) -> None:
    """Return when all that Kafka holds now is archived. Raises UnavailableError if it is not within `seconds`."""
    goal = look(settings.bootstrap, _topics(settings))
    ledger = Ledger.beside(settings.archive)
    attempts = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(seconds), wait=wait_fixed(0.5))
    try:
        attempts(lambda: _behind(goal, ledger.positions(goal.cluster)))
    except RetryError:
        behind = _behind(goal, ledger.positions(goal.cluster))
        places = ", ".join(f"{t}/{p} {goal.end[t, p] - offset:,}" for (t, p), offset in sorted(behind.items()))
        raise UnavailableError(
            f"not archived within {seconds:g} s: {places} records. `make status` shows whether the archive query runs"
        ) from None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--wait", type=float, metavar="SECONDS", help="First wait until all that Kafka holds now is archived.")
def command(as_json: bool, wait: float | None) -> None:
    """Show whether every record that came into Kafka is archived once, waits, or lies in a recorded gap."""
    settings = Settings.load()
    if wait is not None:
        await_archived(settings, wait)
    found = figures(settings)
    click.echo(json.dumps(found, indent=1) if as_json else render(found, settings.posts_topic))
    if found["faults"]:
        raise IntegrityError("the accounting does not add up: " + "; ".join(found["faults"]))


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is the error's (errors.py), 6 where the accounting does not add up."""
    try:
        command.main(args=argv, prog_name="accounting", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DrinkStreamError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    return 0


def _topics(settings: Settings) -> tuple[str, str]:
    return settings.posts_topic, settings.status_topic


def _behind(kafka: KafkaOffsets, reached: Positions) -> Positions:
    """The next offset of each partition that has records which are not archived, and that Kafka still holds."""
    return {
        place: max(reached.get(place, 0), kafka.begin[place])
        for place, end in kafka.end.items()
        if max(reached.get(place, 0), kafka.begin[place]) < end
    }


def _ends(held: Mapping[tuple[str, str, int], Held], cluster: str) -> Positions:
    return {(t, p): here.islands[-1].until for (c, t, p), here in held.items() if c == cluster}


def _topic_figures(account: TopicAccount, kafka: KafkaOffsets) -> dict[str, Any]:
    row: dict[str, Any] = {
        "into": account.into,
        "archived": account.archived,
        "waiting": account.waiting,
        "gaps": account.gaps,
        "missing": [_gap_figures(span) for span in account.missing],
        "duplicates": account.duplicates,
        "begin": {str(p): offset for (t, p), offset in sorted(kafka.begin.items()) if t == account.topic},
        "end": {str(p): offset for (t, p), offset in sorted(kafka.end.items()) if t == account.topic},
    }
    if account.classes is not None:
        row["classes"] = _by_kind(account.classes)
    return row


def _by_kind(classes: Mapping[Class, int]) -> dict[str, Any]:
    found: dict[str, Any] = {"post": 0, "tombstone": 0, "notice": 0, "rejected": {}}
    for one, n in sorted(classes.items(), key=lambda item: (-item[1], item[0].reason)):
        if one.kind == "rejected":
            found["rejected"][one.reason] = found["rejected"].get(one.reason, 0) + n
        else:
            found[one.kind] += n
    return found


def _by_source(classes: Mapping[Class, int]) -> dict[str, dict[str, Any]]:
    names = sorted({one.source for one in classes})
    return {name: _by_kind({one: n for one, n in classes.items() if one.source == name}) for name in names}


def _gap_figures(span: Span) -> dict[str, Any]:
    return {"topic": span.topic, "partition": span.partition, "from": span.start, "until": span.until}


def _earlier(held: Mapping[tuple[str, str, int], Held], cluster: str) -> list[dict[str, Any]]:
    names = sorted({c for c, _, _ in held} - {cluster})
    return [{"cluster": name, "archived": sum(h.rows for (c, _, _), h in held.items() if c == name)} for name in names]


def _earlier_faults(held: Mapping[tuple[str, str, int], Held], cluster: str, gaps: tuple[Span, ...]) -> list[str]:
    found = []
    for place, here in sorted(held.items()):
        if place[0] != cluster:
            found += [f"{place[0]}: {span} missing" for span in missing(here, place, here.islands[-1].until, gaps)]
            if here.duplicates:
                found.append(f"{place[0]}: {here.duplicates} rows of {place[1]}/{place[2]} repeat an offset")
    return found


if __name__ == "__main__":
    sys.exit(main())
