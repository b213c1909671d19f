"""The evidence bundle over HTTP, and what another installation makes of it: with the same archive, and with another."""

import html
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from drinkstream import bundle as made
from drinkstream import meaning, taxonomy_kept
from drinkstream.archive import Archive
from drinkstream.bundle import unpack, whole
from drinkstream.cells import pack
from drinkstream.cli import cli
from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.interval import wilson
from drinkstream.settings import Settings
from drinkstream.store.read import CellIds, Run
from drinkstream.verify import UNPROVED, verify
from tests.lib import oracle
from tests.lib.archived import archive, row
from tests.lib.planted import COFFEE, MORNING_MS, PEPSI, TEA, TEXTS, delete, post_id, tweet
from tests.web.conftest import AT, Store, Web
from webapp import create_app
from webapp.bundles import of_parameters
from webapp.serving import serving

DAY = "from=2017-09-14&to=2017-09-14"
PAST_MS = MORNING_MS + 86_400_000
PLAIN = "nothing to see here, move along"
A, B, C, D, E, F = (post_id(n) for n in range(6))
EDITED = str(int(C) + 1000)
LINES = [
    (A, tweet(A, COFFEE)),
    (B, tweet(B, TEA)),
    (A, tweet(A, COFFEE)),
    (C, tweet(C, COFFEE)),
    (C, tweet(EDITED, TEA, C)),
    (D, tweet(D, COFFEE)),
    (D, delete(D)),
    (E, tweet(E, PEPSI)),
    (F, tweet(F, PLAIN)),
]
"""Coffee twice over; tea; coffee edited to tea; a coffee deleted; Pepsi; nothing."""
LATER = [(B, delete(B)), (A, tweet(str(int(A) + 1000), PLAIN, A)), (post_id(9), tweet(post_id(9), COFFEE))]
"""What comes after the run: a delete, an edit, a late post."""


def rows(lines: list[tuple[str, bytes]], first: int = 0) -> list[dict[str, object]]:
    """The archive's rows of lines, one millisecond apart."""
    return [
        row(first + at, key=f"x:{ident}", value=value, append_ts=(PAST_MS + first + at) * 1000, event_ms=MORNING_MS)
        for at, (ident, value) in enumerate(lines)
    ]


class Published(Store):
    """A store whose run counted the archive's lines by the installed rules, or by others."""

    meaning: str = meaning.version()

    def run(self, day: date, run_id: str) -> Run | None:
        found = super().run(day, run_id)
        return found and replace(found, meaning=self.meaning, position={"c1/posts/0": len(LINES)}, archive_version=1)

    def pending(self, counted: object) -> dict[str, int]:
        del counted
        return {}


def counted(label: oracle.Label) -> list[CellIds]:
    records = [oracle.Record(value, "x", PAST_MS + at, 0, at) for at, (_, value) in enumerate(LINES)]
    return [
        CellIds(f"{day}T{minute[:2]}", int(minute[3:]), category, brand, source, kind, lang, (pack(ids),))
        for (day, minute, source, category, brand, kind, lang), ids in oracle.batch(records, label).items()
    ]


@pytest.fixture
def store(store: Store) -> Store:
    """The published day as the oracle counts the lines; the live day as ever."""
    lives, log, epochs = store.lives, store.log, store.rows
    return Published(log=log, rows=epochs, runs={"run-1": counted(TEXTS.get)}, lives=lives, ended=store.ended)


@pytest.fixture
def other(tmp_path: Path) -> Archive:
    """The archive of another installation: the same records, and some that came later."""
    return archive(tmp_path / "archive", rows(LINES), rows(LATER, len(LINES)))


def parts_of(client: FlaskClient, question: str) -> dict[str, bytes]:
    response = client.get(f"/api/v1/bundle?{question}")
    assert (response.status_code, response.mimetype) == (200, "application/zip"), response.text
    return unpack(response.data)


def test_an_answer_comes_with_its_ids_runs_rules_and_recipe(web: Web) -> None:
    response = web.client.get(f"/api/v1/bundle?{DAY}")
    parts = unpack(response.data)
    assert re.fullmatch(
        rf'attachment; filename="drinkstream-2017-09-14-2017-09-14-{whole(parts)[:12]}\.zip"',
        response.headers["Content-Disposition"],
    )
    assert response.headers["X-At"] == AT
    package = Path(meaning.__file__).parent
    taxonomy = [package / "taxonomy.toml", *package.glob("taxonomy/*.toml")]
    assert set(parts) == {
        "question.json", "answer.json", "runs.json", "ids/2017-09-14.jsonl", "RECIPE.md", "rules/known.json",
        *(f"rules/{meaning.version()}/{path.relative_to(package)}" for path in taxonomy),
    }  # fmt: skip
    assert json.loads(parts["answer.json"]) == web.get(f"share?{DAY}")
    assert json.loads(parts["question.json"]) == {
        "from": "2017-09-14",
        "to": "2017-09-14",
        "by": "category",
        "category": None,
        "brand": None,
        "source": None,
        "lang": None,
        "kinds": ["original", "quote", "reply"],
        "as_of": None,
        "at": AT,
        "topic": "posts",
    }
    (day,) = json.loads(parts["runs.json"])
    assert (day["layer"], day["final"], day["publication"]["seq"]) == ("batch", True, 1)
    assert (day["run"]["run_id"], day["run"]["position"]) == ("run-1", {"c1/posts/0": 9})
    assert "| 2017-09-14 | batch | run-1 |" in parts["RECIPE.md"].decode()
    cells = [json.loads(line) for line in parts["ids/2017-09-14.jsonl"].splitlines()]
    assert cells == [
        ["2017-09-14T08:00Z", "*", "", "x", "original", "en", [A, B, C, E]],
        ["2017-09-14T08:00Z", "coffee", "", "x", "original", "en", [A]],
        ["2017-09-14T08:00Z", "soda", "", "x", "original", "en", [E]],
        ["2017-09-14T08:00Z", "tea", "", "x", "original", "en", [B, C]],
    ]


@pytest.fixture
def nothing_read() -> None:
    """As in a new process."""
    meaning.version.cache_clear()
    taxonomy_kept.installed.cache_clear()


@pytest.mark.usefixtures("nothing_read")
def test_rules_are_those_that_the_process_goes_by_whatever_is_edited_meanwhile(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A taxonomy that was edited since the start is another meaning version, and none of an older bundle's."""

    def read(_: str) -> None:
        raise AssertionError("the taxonomy was read while the process runs")

    monkeypatch.setattr(meaning, "files", read)
    monkeypatch.setattr(taxonomy_kept, "files", read)
    assert web.client.get(f"/api/v1/bundle?{DAY}").status_code == 200


def test_no_text_of_a_post_is_in_it(web: Web, other: Archive) -> None:
    del other
    parts = parts_of(web.client, "from=2017-09-14&to=2017-09-15")
    everything = b"".join(parts.values())
    assert [text for text in TEXTS if text.encode() in everything] == []


def test_the_same_answer_gives_the_same_bytes(web: Web) -> None:
    first, again = (web.client.get(f"/api/v1/bundle?{DAY}&at={AT}").data for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "narrowed",
    [
        "",
        "&by=brand",
        "&by=brand&category=soda",
        "&brand=pepsi",
        "&category=tea",
        "&category=milk",
        "&source=x&lang=en",
        "&source=demo",
    ],
)
def test_another_installation_with_the_same_records_finds_the_same_hash(
    web: Web, other: Archive, narrowed: str
) -> None:
    """Whatever came after the run, and however the question is narrowed."""
    parts = parts_of(web.client, f"{DAY}{narrowed}")
    verdict = verify(parts, other)
    assert (verdict.differences, verdict.faults) == ((), ())
    assert verdict.holds
    assert verdict.found == verdict.hash == whole(parts)


def test_the_command_says_what_it_found_and_the_hash(
    web: Web, other: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that was changed, is none, or is not there, ends with a message."""
    monkeypatch.setenv("DRINKSTREAM_ARCHIVE_URI", other.uri)
    data = web.client.get(f"/api/v1/bundle?{DAY}").data
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(data)
    result = CliRunner().invoke(cli, ["verify", str(good)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "2017-09-14: 4 posts in 4 cells as run run-1 counted them",
        f"sha256:{whole(unpack(data))}",
    ]
    bad.write_bytes(data[:500])
    assert isinstance(CliRunner().invoke(cli, ["verify", str(bad)]).exception, BadInputError)
    missing = CliRunner().invoke(cli, ["verify", str(tmp_path / "none.zip")])
    assert "no bundle at" in str(missing.exception)

    parts = unpack(data)
    parts["answer.json"] = parts["answer.json"].replace(b'"total": 4', b'"total": 5')
    bad.write_bytes(made.pack(parts))
    result = CliRunner().invoke(cli, ["verify", str(bad)])
    assert isinstance(result.exception, IntegrityError)
    assert "answer.json has a total of 5, and its ids are 4" in result.output


def test_ids_that_were_changed_with_all_their_hashes_are_found_out(web: Web, other: Archive) -> None:
    """By the archive: who makes all hashes anew cannot make the records."""
    parts = parts_of(web.client, DAY)
    name = "ids/2017-09-14.jsonl"
    forged = parts[name].replace(f'"{A}"'.encode(), f'"{F}"'.encode())
    verdict = verify(unpack(made.pack({**parts, name: forged})), other)
    assert not verdict.holds
    assert verdict.found == whole(parts) != verdict.hash
    rule = "unexplained: by the same rules it is taken as"
    assert [str(one) for one in verdict.differences] == [
        f"2017-09-14 x:{A} counts only here: {rule} the first of 2 deliveries, none of which is marked as an edit",
        f"2017-09-14 x:{F} counts only in the bundle: {rule} the only version",
    ]


def test_an_answer_that_its_ids_do_not_give_is_a_fault(web: Web, other: Archive) -> None:
    parts = parts_of(web.client, DAY)
    answer = json.loads(parts["answer.json"])
    answer["shares"][0]["n"] = 3
    verdict = verify({**parts, "answer.json": made.plain(answer)}, other)
    assert verdict.faults == (
        "answer.json has a mix_total of 4, which is not the sum of its rows",
        "answer.json has 3 posts for tea, and its ids are 2",
    )
    assert not verdict.holds


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("from", "2017-09-01", 'answer.json has "2017-09-01" as from, and it is "2017-09-14"'),
        ("to", "2017-09-30", 'answer.json has "2017-09-30" as to, and it is "2017-09-14"'),
        ("by", "brand", 'answer.json has "brand" as by, and it is "category"'),
        ("at", "other", f'answer.json has "other" as at, and it is "{AT}"'),
        ("unit", "litres", 'answer.json has "litres" as unit, and it is "posts"'),
        ("reposts", "included", 'answer.json has "included" as reposts, and it is "excluded"'),
        ("low_base", False, "answer.json has false as low_base, and it is true"),
        ("low_base", None, "answer.json has null as low_base, and it is true"),
        ("confidence", 0.999, "answer.json has 0.999 as confidence, and it is 0.95"),
    ],
)
def test_a_label_that_the_question_or_the_numbers_do_not_give_is_a_fault(
    web: Web, other: Archive, name: str, value: object, fault: str
) -> None:
    parts = forged(parts_of(web.client, DAY), **{name: value})
    assert verify(unpack(made.pack(parts)), other).faults == (fault,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer", "speed"),
        ("run", "run-2"),
        ("run", None),
        ("epoch", "e1"),
        ("meaning", "m0"),
        ("published_at", "2017-09-15T00:00:00.000Z"),
        ("published_at", None),
    ],
)
def test_where_a_days_number_is_said_to_come_from_is_where_it_comes_from(
    web: Web, other: Archive, name: str, value: object
) -> None:
    parts = parts_of(web.client, DAY)
    (day,) = json.loads(parts["answer.json"])["days"]
    verdict = verify(forged(parts, days=[{**day, name: value}]), other)
    there, here = json.dumps(value), json.dumps(day[name])
    assert verdict.faults == (f"answer.json has {there} as {name} of 2017-09-14, and runs.json {here}",)
    assert not verdict.holds


@pytest.mark.parametrize("changed", [{"run_id": "run-2"}, {"meaning": "m0"}])
def test_a_run_that_is_not_the_published_one_is_a_fault(web: Web, other: Archive, changed: dict[str, str]) -> None:
    parts = parts_of(web.client, DAY)
    (day,) = json.loads(parts["runs.json"])
    runs = made.plain([{**day, "run": {**day["run"], **changed}}])
    assert verify({**parts, "runs.json": runs}, other).faults == (
        "runs.json has for 2017-09-14 another run than its publication, or another meaning than its run's",
    )


@pytest.mark.parametrize("interval", [[0.49, 0.51], [0.15, 0.851], [float("nan")] * 2, None])
def test_an_interval_that_its_numbers_do_not_give_is_a_fault(web: Web, other: Archive, interval: object) -> None:
    parts = parts_of(web.client, DAY)
    tea, *others = json.loads(parts["answer.json"])["shares"]
    verdict = verify(forged(parts, shares=[{**tea, "interval": interval}, *others]), other)
    (fault,) = verdict.faults
    assert fault.startswith("answer.json has the interval ")
    assert fault.endswith(" for tea, and it is not that of 2 posts")
    assert not verdict.holds


def test_an_answer_is_of_every_day_that_was_asked_about(web: Web, other: Archive) -> None:
    """Also where question and answer were both changed."""
    parts = forged(parts_of(web.client, DAY), **{"from": "2017-09-01"})
    question = made.plain({**json.loads(parts["question.json"]), "from": "2017-09-01"})
    (fault,) = verify({**parts, "question.json": question}, other).faults
    assert fault == "runs.json is not of the days that question.json asks about"


@pytest.mark.parametrize("name", ["shares", "days"])
def test_a_row_that_stands_twice_is_refused(web: Web, other: Archive, name: str) -> None:
    """A reader may take the one that was not looked at."""
    parts = parts_of(web.client, DAY)
    first, *others = json.loads(parts["answer.json"])[name]
    with pytest.raises(IntegrityError, match=r"^answer\.json: not what a bundle has there .* twice"):
        verify(forged(parts, **{name: [{**first, "n": 9}, first, *others]}), other)


@pytest.mark.parametrize(
    "question",
    [
        "from=2017-09-16&to=2017-09-16",
        "from=2017-09-14&to=2017-09-16&by=brand",
        "from=2017-09-14&to=2017-09-15&reposts=include",
        f"{DAY}&kind=repost",
        f"{DAY}&source=demo&by=brand",
        f"{DAY}&as_of=2017-09-15T03:00:00Z",
        f"{DAY}&as_of=2017-09-14T03:00:00Z",
    ],
)
def test_whatever_was_asked_the_bundle_agrees_with_itself(web: Web, other: Archive, question: str) -> None:
    """Of missing days, of days without a post, of an earlier state."""
    assert verify(parts_of(web.client, question), other).faults == ()


def test_a_post_erased_since_is_named_with_the_reason(web: Web, tmp_path: Path) -> None:
    """So is one that was never archived here, which looks the same."""
    without = archive(tmp_path / "other", [one for one in rows(LINES) if one["key"] != f"x:{A}"])
    verdict = verify(parts_of(web.client, DAY), without)
    assert [str(one) for one in verdict.differences] == [
        f"2017-09-14 x:{A} counts only in the bundle: no record of it is in this archive: it was erased, or never "
        "archived here"
    ]
    assert verdict.notes == ()


def test_an_archive_that_has_not_got_so_far_says_so(web: Web, tmp_path: Path) -> None:
    """The edit and the delete are missing: other cells, a post that counts only here, and one that is not there."""
    short = archive(tmp_path / "other", rows(LINES[:4] + LINES[5:6]))
    verdict = verify(parts_of(web.client, DAY), short)
    assert [(one.post, one.where) for one in verdict.differences] == [
        (f"x:{C}", "counts in other cells here"),
        (f"x:{D}", "counts only here"),
        (f"x:{E}", "counts only in the bundle"),
    ]
    assert verdict.notes == ("2017-09-14: this archive holds c1/posts/0 up to 5, and the run had read up to 9",)


def test_a_run_of_other_rules_is_said_to_be_one(web: Web, store: Store, other: Archive) -> None:
    """Where they count a post otherwise, and where they do not."""
    store.meaning = "m0"
    store.runs["run-1"] = counted({**TEXTS, PLAIN: {("tea", None)}}.get)
    verdict = verify(parts_of(web.client, DAY), other)
    assert [str(one) for one in verdict.differences] == [
        f"2017-09-14 x:{F} counts only in the bundle: meaning differs: the run counted by m0, installed here is "
        f"{meaning.version()}"
    ]
    same = verify(parts_of(web.client, f"{DAY}&by=brand"), other)
    assert same.holds
    assert same.notes[1] == f"2017-09-14: counted by meaning m0; installed here is {meaning.version()}"


def test_a_live_day_is_not_final_and_a_missing_one_has_no_ids(web: Web, other: Archive) -> None:
    """Of a live day only the bundle's own hashes and numbers can be checked."""
    parts = parts_of(web.client, "from=2017-09-14&to=2017-09-16")
    assert [(day["layer"], day["final"]) for day in json.loads(parts["runs.json"])] == [
        ("batch", True), ("speed", False), ("missing", False),
    ]  # fmt: skip
    assert b"201" in parts["ids/2017-09-15.jsonl"]
    assert "ids/2017-09-16.jsonl" not in parts
    assert "not final" in parts["RECIPE.md"].decode()
    verdict = verify(parts, other)
    assert verdict.holds
    assert verdict.notes == (
        "2017-09-14: 4 posts in 4 cells as run run-1 counted them",
        "2017-09-15: not final, so that only the bundle's own hashes and numbers could be checked",
        "2017-09-16: missing, and no number stands for it",
    )


def forged(parts: dict[str, bytes], **changed: object) -> dict[str, bytes]:
    """The parts with other values in the answer: a share that is changed has the arithmetic of its new number."""
    return {**parts, "answer.json": made.plain({**json.loads(parts["answer.json"]), **changed})}


def test_a_day_said_not_to_be_final_does_not_hide_invented_numbers(web: Web, other: Archive) -> None:
    """Neither its own, nor those of published days beside it."""
    parts = parts_of(web.client, DAY)
    (day,) = json.loads(parts["runs.json"])
    tea = {"category": "tea", "brand": None, "n": 900, "share": 0.9, "mix": 1.0, "interval": None}
    (said,) = json.loads(parts["answer.json"])["days"]
    invented = forged(parts, total=1000, mix_total=900, shares=[tea], days=[{**said, "n": 1000}])
    for layer in ("batch", "speed"):
        runs = made.plain([{**day, "final": False, "layer": layer}])
        verdict = verify({**invented, "runs.json": runs}, other)
        assert not verdict.holds
        assert verdict.notes[-1] == UNPROVED
        assert verdict.faults[0].startswith("answer.json has 1,000 posts for 2017-09-14, and its ids are ")
    assert verify({**parts, "runs.json": made.plain([{**day, "final": False}])}, other).holds
    selected = parts_of(web.client, f"{DAY}&category=tea")
    halved = [{**json.loads(selected["answer.json"])["shares"][0], "mix": 0.25}]
    live = [{**json.loads(selected["answer.json"])["days"][0], "layer": "speed"}]
    (fault,) = verify({**forged(selected, mix_total=8, shares=halved, days=live), "runs.json": runs}, other).faults
    assert fault == "answer.json has a mix_total of 8, and its ids are 0 to 4"
    assert "answer.json is not of the same days as runs.json" in verify({**parts, "runs.json": b"[]"}, other).faults


def test_live_ids_may_be_more_than_their_number_and_never_fewer(web: Web, other: Archive) -> None:
    """Of the answer over both days, the published one's are to be there in any case."""
    parts = parts_of(web.client, "from=2017-09-14&to=2017-09-15")
    answer = json.loads(parts["answer.json"])
    published, live = answer["days"]
    assert (published["n"], live["n"], answer["total"]) == (4, 2, 6)

    def faults(**changed: object) -> list[str]:
        return list(verify(forged(parts, **changed), other).faults)

    def rows(**n: int) -> dict[str, object]:
        whole, total = sum(n.values()), 4 + n["water"]
        days = [published, {**live, "n": n["water"]}]
        shares = [
            {
                "category": name,
                "brand": None,
                "n": one,
                "share": one / total,
                "mix": one / whole,
                "interval": wilson(one, total),
            }
            for name, one in n.items()
        ]
        return {"total": total, "mix_total": whole, "shares": shares, "days": days}

    assert faults() == []
    assert faults(**rows(coffee=1, soda=1, tea=2, water=1)) == []  # read before the live coffee came
    assert faults(**rows(coffee=2, soda=1, tea=1, water=1)) == ["answer.json has 1 posts for tea, and its ids are 2"]
    assert faults(**rows(coffee=1, soda=1, tea=2, water=3)) == [
        "answer.json has 3 posts for 2017-09-15, and its ids are 0 to 2",
        "answer.json has a total of 7, and its ids are 4 to 6",
        "answer.json has a mix_total of 7, and its ids are 4 to 6",
        "answer.json has 3 posts for water, and its ids are 0 to 1",
    ]
    assert faults(days=[{**published, "n": 3}, {**live, "n": 2}]) == [
        "answer.json has 3 posts for 2017-09-14, and its ids are 4",
        "answer.json has a total of 6, which is not the sum of its days",
    ]
    coffee, *others = answer["shares"]
    (fault,) = faults(shares=[{**coffee, "share": 0.9}, *others])
    assert fault.startswith("answer.json has the share 0.9 and mix ")


def test_a_hole_that_is_told_as_zero_is_a_fault(web: Web, other: Archive) -> None:
    """Of a missing day nothing is known, which is not none; nor is a zero of a published day a hole."""
    parts = parts_of(web.client, "from=2017-09-16&to=2017-09-16")
    (day,) = json.loads(parts["answer.json"])["days"]
    zero = forged(parts, total=0, mix_total=0, low_base=True, days=[{**day, "n": 0}])
    hole = "answer.json has 0 posts for 2017-09-16, which is missing: null must stand there"
    assert verify(zero, other).faults == (hole,)
    assert verify(forged(zero, days=[day]), other).faults == (
        "answer.json has 0 as total, and no day has a number",
        "answer.json has 0 as mix_total, and no day has a number",
    )
    parts = parts_of(web.client, f"{DAY}&lang=fr")
    (day,) = json.loads(parts["answer.json"])["days"]
    assert day["n"] == 0
    nothing = forged(parts, total=None, mix_total=None, low_base=None, days=[{**day, "n": None}])
    gone = "answer.json has null for 2017-09-14, which is published: a number must stand there"
    assert verify(nothing, other).faults == (gone,)
    assert verify(forged(nothing, days=[day]), other).faults == (
        "answer.json has null as total, and some day has a number",
        "answer.json has null as mix_total, and some day has a number",
    )


def test_a_run_whose_row_is_gone_cannot_be_counted_again(web: Web, store: Store, other: Archive) -> None:
    store.gone.add("run-1")
    verdict = verify(parts_of(web.client, DAY), other)
    assert verdict.holds
    assert verdict.notes == (
        "2017-09-14: not final, so that only the bundle's own hashes and numbers could be checked",
        UNPROVED,
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.json", b"[{}]\n"),
        ("runs.json", b'[{"day": "2017-09-14", "layer": "batch", "final": true, "run": null}]\n'),
        ("runs.json", b'[{"day": "today", "layer": "speed", "final": false, "run": null}]\n'),
        ("question.json", b"{}\n"),
        ("question.json", b'{"by": "category", "topic": "posts"}\n'),
        ("question.json", b'{"by": "hour", "topic": "posts"}\n'),
        ("answer.json", b"[]\n"),
        ("answer.json", b'{"shares": [], "total": "4", "mix_total": 4, "days": []}\n'),
        ("answer.json", b'{"shares": [], "total": 4, "mix_total": 4}\n'),
    ],
)
def test_parts_that_make_no_sense_are_refused(web: Web, other: Archive, name: str, content: bytes) -> None:
    with pytest.raises(IntegrityError, match=rf"^{name}: not what a bundle has there"):
        verify({**parts_of(web.client, DAY), name: content}, other)


def test_a_part_that_is_not_there_is_named(web: Web, other: Archive) -> None:
    parts = parts_of(web.client, DAY)
    del parts["ids/2017-09-14.jsonl"]
    with pytest.raises(IntegrityError, match=r"^ids/2017-09-14\.jsonl: not in the bundle"):
        verify(parts, other)


def test_the_page_has_a_button_for_what_it_shows(web: Web) -> None:
    """In the state that it shows, and narrowed as it is."""
    page = web.client.get(f"/?{DAY}&by=brand&category=soda&grain=hour").text
    link = html.unescape(re.search(r'<a class="button"[^>]*href="(/api/v1/bundle[^"]*)"', page)[1])
    assert f"at={AT}" in link
    assert json.loads(unpack(web.client.get(link).data)["answer.json"]) == web.get(
        f"share?{DAY}&by=brand&category=soda"
    )
    then = web.client.get(f"/?{DAY}&as_of=2017-09-15T03:00:00Z").text
    link = html.unescape(re.search(r'<a class="button"[^>]*href="(/api/v1/bundle[^"]*)"', then)[1])
    assert web.client.get(link).status_code == 200


def test_the_button_means_the_days_that_the_page_shows(web: Web) -> None:
    """Without days in its address the page has its own, which a bundle would not have, nor after midnight."""
    page = web.client.get("/?grain=hour").text
    href = html.unescape(re.search(r'data-key="bundle" href="([^"]+)"', page)[1])
    answer = json.loads(unpack(web.client.get(href).data)["answer.json"])
    shown = web.get("trend?grain=hour")
    assert (answer["from"], answer["to"]) == (shown["from"], shown["to"]) == ("2017-09-09", "2017-09-15")


def test_too_many_ids_and_other_parameters_are_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "format: not a parameter here" in web.refused(f"bundle?{DAY}&format=csv")
    monkeypatch.setattr("webapp.bundles.MOST_IDS", 7)
    for narrowed in ("", "&category=tea"):
        assert "a bundle of 8 ids: at most 7" in web.refused(f"bundle?{DAY}{narrowed}")
        page = web.client.get(f"/?{DAY}{narrowed}").text
        assert "No evidence bundle of 8 ids: at most 7 can be had at once; ask about fewer days" in page
        assert "/api/v1/bundle" not in page
    monkeypatch.setattr("webapp.bundles.MOST_IDS", 8)
    ids = [
        json.loads(line)[6] for line in parts_of(web.client, f"{DAY}&category=tea")["ids/2017-09-14.jsonl"].splitlines()
    ]
    assert sum(map(len, ids)) == 8


def test_a_program_gets_the_same_as_a_browser(web: Web, store: Store, tmp_path: Path, clock: object) -> None:
    """Without a thread that goes on; a store that is away is told."""
    here = serving(create_app(Settings(home=tmp_path), lambda: store, clock, store.pending))
    name, content = of_parameters(here, {"from": "2017-09-14", "to": "2017-09-14"})
    response = web.client.get(f"/api/v1/bundle?{DAY}")
    assert (response.data, name in response.headers["Content-Disposition"]) == (content, True)
    with pytest.raises(BadInputError, match="from: a day of the calendar"):
        of_parameters(here, {"from": "yesterday"})
