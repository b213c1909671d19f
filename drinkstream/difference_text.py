"""Difference reports in Markdown, which reads as a table in a log and is one in Airflow's form of approval. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drinkstream.difference import Moved, Report, Row, Ruled, in_rules
from drinkstream.reconcile import Cause
from drinkstream.share import percentage

EXAMPLES = 3
"""Posts that a rule's row names."""

ANSWER = "answer="
"""What the last line of the job begins with; its answer as JSON follows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is written: days in full, and rows of each table of a day."""

    days: int
    rows: int


LOG = Bounds(days=400, rows=100)
FORM = Bounds(days=7, rows=15)
"""A person decides on it in a form: what is left out is behind the link."""

Found = tuple[Report, Sequence[Moved]]
"""A report, with the moves that were explained."""


def form(
    found: Sequence[Found],
    site: str,
    gone: Sequence[str] = (),
    overtaken: Sequence[str] = (),
    asks: Mapping[str, str] | None = None,
) -> str:
    """What a person who approves must know, days that were published first in words, then each in a table.

    `site`: the address of the web, which has the reports in full. `overtaken`: days of which another run came into
    force since; `gone`: those whose run was dropped, too. `asks`: by day what its audit leaves to who approves.
    """
    published = [one for one in found if one[0].published]
    new = len(found) - len(published)
    moved = sum(report.moved for report, _ in published)
    lines = [
        f"**{_many(len(published), 'day')} published before would change for everybody: {_many(moved, 'post')} moved.**"
        + (f" {_many(new, 'day')} would be published for the first time." if new else "")
    ]
    for day, words in (asks or {}).items():
        lines += ["", beyond(day, words)]
    changed = [one for one in published if one[0].moved]
    for one in changed[: FORM.days]:
        lines += ["", in_full(*one, FORM, site)]
    if rest := changed[FORM.days :]:
        lines += ["", "The other days that change:", ""]
        lines += [f"- [{report.day}]({link(report, site)}): {_summary(report)}" for report, _ in rest]
    if same := [str(report.day) for report, _ in published if not report.moved]:
        lines += ["", f"No post moves on {', '.join(same)}."]
    for days, why in (
        (gone, "Another run came into force, and this one was dropped."),
        (overtaken, "Another run came into force since this one began."),
    ):
        if days:
            lines += ["", f"Not published by this: {', '.join(days)}. {why}"]
    return "\n".join(lines)


def beyond(day: str, words: str) -> str:
    """What a person is asked about a day that its audit neither passed nor refused."""
    return f"**{day} is beyond the audit's bounds: {words}. Approve it only if you know which of them is right.**"


def in_full(report: Report, moved: Iterable[Moved], bounds: Bounds = LOG, site: str = "") -> str:
    """One day: a heading, what changes in counts and shares, and why posts move by which rules."""
    lines = [f"### {report.day}", ""]
    if not report.published:
        drinks = report.rows[0].new_n
        return "\n".join([*lines, f"Never published: run {report.run_id} would be its first, {_many(drinks, 'post')}."])
    rules = "the same rules" if report.old_meaning == report.new_meaning else "other rules"
    lines += [
        f"Run {report.run_id} (meaning {report.new_meaning}) against publication {report.seq}, run {report.old_run} "
        f"(meaning {report.old_meaning}, {rules}): {_summary(report)}."
        + (f" [Whole report]({link(report, site)})" if site else "")
    ]
    changed = [row for row in report.rows if row.old_n != row.new_n]
    if changed:
        changed.sort(key=lambda row: -abs(row.new_n - row.old_n))
        lines += [
            "",
            "| posts without reposts of | old | new | change | old share | new share |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        lines += [_row(row) for row in changed[: bounds.rows]]
        lines += _left_out(len(changed) - bounds.rows, "rows")
        if others := sum(_share_moves(row) for row in report.rows):
            lines += ["", f"{_many(others, 'other share')} moved with what they divide by."]
    elif report.moved:
        lines += ["", "No count without reposts changes."]
    if report.rules:
        lines += ["", "| posts | why | counted by | counts by | such as |", "|--:|---|---|---|---|"]
        examples = _examples(moved)
        lines += [_rule(rule, examples.get(rule[:3], ())) for rule in report.rules[: bounds.rows]]
        lines += _left_out(len(report.rules) - bounds.rows, "rows")
    return "\n".join(lines)


def link(report: Report, site: str) -> str:
    """The address of the page with the whole report."""
    return f"{site}/difference/{report.day}?run={report.run_id}"


def name_of(row: Row) -> str:
    """What a row counts, as a reader would say it."""
    return " with ".join(part for part in (row.category, row.brand) if part) or "any drink"


def _summary(report: Report) -> str:
    text = f"{_many(report.moved, 'post')} moved in {_many(report.cells, 'cell')}"
    if report.explained < report.moved:
        text += f", of which {report.explained:,} of every kind were looked up"
    if unexplained := report.causes.get(Cause.UNEXPLAINED):
        text += f"; **nothing explains {unexplained:,} of them: a fault, do not approve before it is looked into**"
    return text


def _row(row: Row) -> str:
    shares = f"{_percent(row.old_share)} | {_percent(row.new_share)}" if row.category or row.brand else " | "
    return f"| {name_of(row)} | {row.old_n:,} | {row.new_n:,} | {row.new_n - row.old_n:+,} | {shares} |"


def _share_moves(row: Row) -> bool:
    return row.old_n == row.new_n and _percent(row.old_share) != _percent(row.new_share)


def _rule(rule: Ruled, examples: Sequence[str]) -> str:
    was, becomes = (", ".join(side) or "–" for side in (rule.was, rule.becomes))
    return f"| {rule.posts:,} | {rule.cause.replace('_', ' ')} | {was} | {becomes} | {', '.join(examples)} |"


def _examples(moved: Iterable[Moved]) -> Mapping[tuple[str, tuple[str, ...], tuple[str, ...]], Sequence[str]]:
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for one in moved:
        like = found[str(one.cause), in_rules(one.was, one.was_told), in_rules(one.becomes, one.becomes_told)]
        if len(like) < EXAMPLES:
            like.append(f"{one.move.source}:{one.move.id}")
    return found


def _left_out(number: int, what: str) -> list[str]:
    return ["", f"({number:,} more {what})"] if number > 0 else []


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{percentage(share):.1f}%"
