"""Erasure without a JVM: what is found and replaced in the archive, what the list keeps, and what is said of it."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from drinkstream import archive_change
from drinkstream.archive import Archive, Row
from drinkstream.archive_change import compact, configure, drop_orphans, erase, retried, vacuum
from drinkstream.erasures import Erasures
from drinkstream.errors import ConflictError, IntegrityError
from drinkstream.post import ERASED, Tombstone, parse_keyed
from drinkstream.settings import Settings
from drinkstream.wire_x_inside import author, inside, reposted, versions
from jobs import erase as job
from jobs.audit import unaccounted
from streaming.archive import PROPERTIES
from tests.lib.archived import archive, row

NOW = datetime(2017, 9, 20, 10, tzinfo=UTC)
SECRET = "one espresso, and nobody is to know"


def post_id(n: int) -> str:
    """The id of a post at noon of 2017-09-14."""
    return str(((1505390400000 - 1288834974657) << 22) + n)


def line(n: int, text: str, by: str = "7001", **more: object) -> bytes:
    return json.dumps({"data": {"id": post_id(n), "text": text, "author_id": by}, **more}).encode()


def v1(n: int, text: str, by: str = "7001", **more: object) -> bytes:
    return json.dumps({"id_str": post_id(n), "text": text, "user": {"id_str": by}, **more}).encode()


def stored(offset: int, n: int, value: bytes, **changed: object) -> dict[str, object]:
    return row(offset, key=f"x:{post_id(n)}", value=value, **changed)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose archive holds every way in which a text can lie there, and two posts that must stay."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    quoted = json.loads(v1(1, SECRET))
    archive(
        tmp_path / "archive",
        [
            stored(0, 1, line(1, SECRET)),
            stored(1, 2, v1(2, "tea", by="7002")),
            row(2, key="x:?0badcafe", day="none", shape="rejected.cut_off", value=line(1, SECRET)[:-9]),
            stored(3, 1, line(1, SECRET), day="none"),
        ],
        [
            stored(4, 3, v1(3, f"RT @a: {SECRET}", by="7003", retweeted_status=quoted)),
            stored(5, 4, v1(4, "so true", by="7003", quoted_status=quoted)),
            stored(6, 5, line(5, "mine too")),
            row(7, key=None, shape="notice.keepalive", value=b"", day="none"),
        ],
    )
    return tmp_path


def texts(home: Path) -> list[str]:
    """The values of every file of the archive's folder, of the newest version or not."""
    files = sorted((home / "archive").glob("day=*/*.parquet"))
    return [str(value) for file in files for value in pq.read_table(file, partitioning=None)["value"].to_pylist()]


def values(home: Path) -> dict[int, bool]:
    """Which offsets hold an order in place of what came."""
    found = Archive(str(home / "archive"))
    rows = found.keyed([*(f"x:{post_id(n)}" for n in range(1, 6)), "x:?0badcafe"])
    return {one.offset: one.value == ERASED for one in rows}


def test_a_file_that_is_not_utf8_erases_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "ids.txt"
    file.write_bytes(b"x:1\n\xff\n")
    assert job.main(["--file", str(file), "--why", "x"]) == 2
    assert capsys.readouterr().err.endswith("is not UTF-8 (byte 5): nothing was erased, save it as UTF-8\n")


def test_the_post_its_repost_and_its_unreadable_line_go_and_a_quote_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quote = f"x:{post_id(4)} carries the text of x:{post_id(1)}"
    assert job.main([f"x:{post_id(1)}", "--dry-run"]) == 0
    would = [f"{key}: would be erased" for key in sorted(["x:?0badcafe", f"x:{post_id(1)}", f"x:{post_id(3)}"])]
    assert capsys.readouterr().out.splitlines() == [f"{quote}: not erased, see --carriers", *would]
    assert not any(values(home).values())

    assert job.main([f"x:{post_id(1)}", "--why", "deleted by its author"]) == 0
    assert values(home) == {0: True, 1: False, 2: True, 3: True, 4: True, 5: False, 6: False}
    assert capsys.readouterr().out.splitlines() == [
        f"{quote}: not erased, see --carriers",
        "listed=3 new=3",
        "day=2017-09-14 records=2",
        "day=none records=2",
        "Kafka lets go of the last of these records by 2017-09-22T12:00:00.250Z",
        "recompute 2017-09-14 to take these posts out of their numbers",
        "erased=4 records",
    ]
    assert job.main([f"x:{post_id(1)}", "--why", "once more", "--carriers"]) == 0
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "listed=2 new=1",
        "day=2017-09-14 records=2",
        "day=none records=1",
    ]
    assert not any(SECRET in text for text in texts(home))
    assert any("mine too" in text for text in texts(home))


def test_every_post_that_carries_a_text_is_named_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their texts stay where they are not asked for, too: whoever answers for the erasure needs all of them."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    quoted = json.loads(v1(1, SECRET))
    quotes = [stored(n, n, v1(n, "so true", by="7003", quoted_status=quoted)) for n in range(2, 123)]
    archive(tmp_path / "archive", [stored(1, 1, line(1, SECRET)), *quotes])
    assert job.main([f"x:{post_id(1)}", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"x:{post_id(n)} carries the text of x:{post_id(1)}: not erased, see --carriers" for n in range(2, 123)),
        f"x:{post_id(1)}: would be erased",
    ]


def test_a_user_s_posts_are_those_that_their_lines_say_are_theirs(home: Path) -> None:
    """A repost of them by somebody else is found as one of theirs, not as the user's."""
    assert job.main(["--user", "x:7001", "--why", "the user left", "--carriers"]) == 0
    assert values(home) == {0: True, 1: False, 2: True, 3: True, 4: True, 5: True, 6: True}
    whys = {order.key: order.why for order in Erasures.beside(str(home / "archive")).orders()}
    assert set(whys) == {"x:?0badcafe", *(f"x:{post_id(n)}" for n in (1, 3, 4, 5))}
    assert set(whys.values()) == {"the user left"}


WHOLE = [
    "listed=5 new=0",
    "day=2017-09-14 records=4",
    "day=none records=2",
    "Kafka lets go of the last of these records by 2017-09-22T12:00:00.250Z",
    "recompute 2017-09-14 to take these posts out of their numbers",
    "erased=6 records",
]
"""What is said in the end where all of a user's posts are erased, and all that carries them."""


@pytest.mark.parametrize("cut_off_in", ["vacuum", "the second change", "the list"])
@pytest.mark.parametrize("named", [["--user", "x:7001"], ["--posts", f"x:{post_id(1)} x:{post_id(5)}"]])
def test_an_erasure_that_was_cut_off_takes_up_where_it_ended_and_says_all_of_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cut_off_in: str, named: list[str]
) -> None:
    """Its own work may have made the user's lines, and what carries them, unfindable."""
    arguments = [*named, "--why", "ops, erase_posts manual__1: the user left", "--carriers"]
    left = [OSError("the machine went away")]

    def cut_off(*_: object) -> None:
        raise left.pop()

    with monkeypatch.context() as patch:
        if cut_off_in == "vacuum":
            patch.setattr(job, "vacuum", cut_off)
        elif cut_off_in == "the list":
            patch.setattr(Erasures, "order", cut_off)
        else:
            replace: Callable[..., None] = archive_change._replace
            patch.setattr(archive_change, "KEYS_A_CHANGE", 3)
            patch.setattr(
                archive_change, "_replace", lambda *given: cut_off() if texts_left(home) < 6 else replace(*given)
            )
        with pytest.raises(OSError, match="the machine went away"):
            job.main(arguments)
    assert not left
    capsys.readouterr()

    for _ in range(2):
        assert job.main(arguments) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[-len(WHOLE) + 1 :] == WHOLE[1:]
        assert values(home) == {0: True, 1: False, 2: True, 3: True, 4: True, 5: True, 6: True}
        assert not any(SECRET in text or "mine too" in text for text in texts(home))
    assert said[-len(WHOLE)] == WHOLE[0]
    assert said[0] == "begun=5: so many keys are on the list for this reason already"


def texts_left(home: Path) -> int:
    """How many of the six records that carry a text still do."""
    return sum(not gone for offset, gone in values(home).items() if offset != 1)


def test_an_erasure_for_another_reason_finds_no_user_whose_posts_are_gone(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.main(["--user", "x:7001", "--why", "ticket 1"]) == 0
    assert job.main(["--user", "x:7001", "--why", "ticket 2"]) == 2
    assert "no line in the archive names x:7001 as its author" in capsys.readouterr().err
    assert {order.why for order in Erasures.beside(str(home / "archive")).orders()} == {"ticket 1"}


def test_a_repost_goes_though_its_line_does_not_carry_the_post_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a repost of a quote is somebody else's text, as the quote is."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    refers = {"referenced_tweets": [{"type": "retweeted", "id": post_id(1)}]}
    quote = json.loads(v1(4, "so true", quoted_status=json.loads(v1(1, SECRET))))
    flat = {"id": post_id(3), "text": f"RT @a: {SECRET}", **refers}
    archive(
        tmp_path / "archive",
        [
            stored(0, 2, json.dumps({"data": {"id": post_id(2), "text": f"RT @a: {SECRET}", **refers}}).encode()),
            stored(1, 3, json.dumps(flat).encode()),
            stored(2, 5, v1(5, "RT @b: so true", retweeted_status=quote)),
        ],
    )
    assert job.main([f"x:{post_id(1)}", "--why", "w"]) == 0
    assert values(tmp_path) == {0: True, 1: True, 2: False}
    assert capsys.readouterr().out.splitlines()[0].startswith(f"x:{post_id(5)} carries the text of x:{post_id(1)}: not")


def test_an_edited_post_is_found_by_the_id_of_any_version_and_its_reposts_by_that_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first version is of the evening before, under whose day all lie; a wrong id is named."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    first, second, third = (post_id((minutes * 60_000) << 22) for minutes in (715, 725, 735))  # around midnight
    other, again = post_id(6), post_id((800 * 60_000) << 22)
    late = {"day": "2017-09-15", "append_ts": NOW}

    def version(number: str, history: list[str]) -> bytes:
        return json.dumps({"data": {"id": number, "text": SECRET, "edit_history_tweet_ids": history}}).encode()

    rt = {"id": again, "text": "RT @a: one", "referenced_tweets": [{"type": "retweeted", "id": second}]}
    archive(
        tmp_path / "archive",
        [
            row(0, key=f"x:{first}", value=version(first, [first])),
            row(1, key=f"x:{first}", value=version(second, [first, second])),
            row(2, key=f"x:{first}", value=version(third, [first, second, third])),
            row(3, key=f"x:{again}", value=json.dumps({"data": rt}).encode(), **late),
            row(4, key=f"x:{other}", value=line(6, "mine")),
        ],
    )
    assert job.main([f"x:{third}", "--dry-run"]) == 0
    would = [f"{key}: would be erased" for key in sorted([f"x:{third}", f"x:{first}", f"x:{again}"])]
    assert capsys.readouterr().out.splitlines() == would
    assert job.main([f"x:{third}", "x:404", "--why", "w"]) == 0
    keys = [order.key for order in Erasures.beside(str(tmp_path / "archive")).orders()]
    assert keys == sorted([f"x:{third}", f"x:{first}", f"x:{again}", "x:404"])
    found = Archive(str(tmp_path / "archive")).keyed([*keys, f"x:{other}"])
    assert {one.offset: one.value == ERASED for one in found} == {**dict.fromkeys(range(4), True), 4: False}
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "x:404: no record in the archive names it: is the id right?"
    assert (said[1], said[-1]) == ("listed=4 new=4", "erased=4 records")
    # once erased, the post is known by its key
    assert job.main([f"x:{first}", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"x:{first}: would be erased\n"


@pytest.mark.usefixtures("home")
def test_every_record_stays_accounted_for_and_names_its_place() -> None:
    settings = Settings.load()
    before = Archive(settings.archive).rows_by_day("posts")
    job.main([f"x:{post_id(5)}", "--why", "it is the newest"])
    after = Archive(settings.archive)
    assert after.rows_by_day("posts") == before
    assert after.positions("c1") == {("posts", 0): 8}
    assert unaccounted(settings, after) == ()
    assert Erasures.beside(settings.archive).places() == {("c1", "posts", 0, 6): f"x:{post_id(5)}"}
    DeltaTable(settings.archive).delete('"offset" IN (1, 6)')
    assert unaccounted(settings, after) == ("posts/0 offsets 1 to 1",)
    DeltaTable(settings.archive).restore(after.version() - 1)
    (kept,) = after.records([f"x:{post_id(5)}"])
    order = parse_keyed(kept.value or b"", kept.key, kept.append_ms)
    assert order == Tombstone("x", post_id(5), "erase", ())


def test_an_erasure_that_new_records_overtake_each_time_is_a_conflict_and_is_done_when_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it erased until then is on the list."""
    places: list[int] = []
    replace: Callable[..., None] = archive_change._replace

    def overtaken(uri: str, rows: list[Row]) -> None:
        replace(uri, rows)
        places.append(100 + len(places))
        archive(Path(uri), [stored(places[-1], 5, line(5, "once more"))])

    order = [f"x:{post_id(5)}", "--why", "w"]
    with monkeypatch.context() as patch:
        patch.setattr(archive_change, "_replace", overtaken)
        assert job.main(order) == ConflictError.exit_code
    assert f"x:{post_id(5)} and others are archived faster than they are erased: repeat it" in capsys.readouterr().err
    assert len(places) == archive_change.TRIES
    assert [place for place in places if not values(home)[place]] == places[-1:]
    assert {offset for *_, offset in Erasures.beside(str(home / "archive")).places()} == {6, *places[:-1]}
    assert job.main(order) == 0
    assert all(values(home)[place] for place in (6, *places))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name posts as source:id, a --file of them, or a --user as source:id"),
        (["908300000000000000", "--why", "w"], "a post is named source:id"),
        (["x:1"], "give the reason with --why"),
        (["--user", "x:12", "--why", "w"], "no line in the archive names x:12 as its author"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_request_that_makes_no_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_posts_come_from_a_file_or_from_a_form_s_text(home: Path, tmp_path: Path) -> None:
    listed = tmp_path / "ids"
    listed.write_text(f"x:{post_id(1)}\nx:{post_id(2)}\n")
    assert job.main(["--file", str(listed), "--posts", f"x:{post_id(5)}, x:1;", "--why", "w"]) == 0
    keys = {order.key for order in Erasures.beside(str(home / "archive")).orders()}
    assert {f"x:{post_id(n)}" for n in (1, 2, 5)} | {"x:1"} <= keys


def test_the_list_is_applied_again_to_what_a_restored_copy_holds(home: Path) -> None:
    Erasures.beside(str(home / "archive")).order([f"x:{post_id(1)}"], NOW, "long ago")
    assert job.main(["--again"]) == 0
    assert [offset for offset, gone in values(home).items() if gone] == [0, 3]


@pytest.mark.parametrize("more", [["x:1"], ["--posts", "x:1"], ["--user", "x:1"], ["--carriers"], ["--dry-run"]])
def test_the_list_applied_again_is_all_that_such_a_call_does(
    home: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was named with it would be left out without a word, and a dry run would erase."""
    Erasures.beside(str(home / "archive")).order([f"x:{post_id(1)}"], NOW, "long ago")
    assert job.main(["--again", *more, "--why", "w"]) == 2
    assert "--again applies the list as it is" in capsys.readouterr().err
    assert not any(gone for _, gone in values(home).items())


def test_the_list_takes_each_key_once_tells_when_it_grows_and_outlives_a_torn_line(tmp_path: Path) -> None:
    erasures = Erasures.beside(str(tmp_path / "archive"))
    assert (erasures.orders(), erasures.places()) == ((), {})
    grown = erasures.growth()
    assert not grown()
    assert erasures.order(["x:1", "x:2", "x:1"], NOW, "first") == ("x:1", "x:2")
    assert (grown(), grown()) == (True, True)
    grown = erasures.growth()
    erasures.record({("c1", "posts", 0, 3): "x:1"}, NOW)
    assert not grown()  # a place is no order
    with erasures.file.open("ab") as file:
        file.write(b'{"key": "x:9", "wh')
    assert erasures.order(["x:2", "x:3"], NOW, "second") == ("x:3",)
    assert [(order.key, order.why) for order in erasures.orders()] == [
        ("x:1", "first"),
        ("x:2", "first"),
        ("x:3", "second"),
    ]
    assert erasures.places() == {("c1", "posts", 0, 3): "x:1"}
    erasures.file.write_bytes(b"{}\n{torn\n")
    with pytest.raises(IntegrityError, match="line 2, is damaged"):
        erasures.orders()


def test_a_commit_in_between_is_met_by_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_change, "PAUSE_S", 0)
    left = [CommitFailedError("someone was first")] * 3

    def change() -> str:
        if left:
            raise left.pop()
        return "done"

    assert retried(change) == "done"

    def never() -> str:
        raise CommitFailedError("again")

    with pytest.raises(ConflictError, match="each of 8 times"):
        retried(never)


def test_a_vacuum_in_between_is_met_by_another_look_at_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another erasure replaced the file and deleted it after this one had read the table."""
    monkeypatch.setattr(archive_change, "PAUSE_S", 0)
    uri = str(tmp_path / "archive")
    archive(tmp_path / "archive", [stored(0, 1, line(1, SECRET)), stored(1, 2, line(2, SECRET))])
    now_read: Callable[[str], DeltaTable] = archive_change._table
    stale = DeltaTable(uri)
    erase(uri, [f"x:{post_id(1)}"], NOW)
    vacuum(uri)
    left = [stale]
    monkeypatch.setattr(archive_change, "_table", lambda uri: left.pop() if left else now_read(uri))
    assert len(erase(uri, [f"x:{post_id(2)}"], NOW).places) == 1
    assert (left, values(tmp_path)) == ([], {0: True, 1: True})

    monkeypatch.setattr(archive_change, "_table", lambda _: stale)
    with pytest.raises(ConflictError, match=r"each of 8 times.*Failed to fetch metadata for file"):
        retried(lambda: archive_change._replace(uri, Archive(uri).keyed([f"x:{post_id(2)}"])))

    def broken() -> None:
        raise DeltaError("the disk is full")

    with pytest.raises(DeltaError, match="the disk is full"):
        retried(broken)


def test_what_is_archived_between_the_look_and_the_change_is_erased_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of the post comes with the query's next commit."""
    archive(tmp_path / "archive", [stored(0, 1, line(1, SECRET))])
    replace: Callable[..., None] = archive_change._replace
    late = [stored(1, 1, line(1, SECRET), day="2017-09-15")]

    def slow(*given: object) -> None:
        if late:
            archive(tmp_path / "archive", [late.pop()])
        replace(*given)

    monkeypatch.setattr(archive_change, "_replace", slow)
    erase(str(tmp_path / "archive"), [f"x:{post_id(1)}"], NOW)
    assert values(tmp_path) == {0: True, 1: True}


def aged(folder: Path, hours: float) -> None:
    """Makes the files of a table, and what its last commit says of them, this much older."""
    then = datetime.now(UTC) - timedelta(hours=hours)
    last = max((folder / "_delta_log").glob("*.json"))
    lines = [json.loads(text) for text in last.read_text().splitlines()]
    for line in lines:
        if "remove" in line:
            line["remove"]["deletionTimestamp"] = int(then.timestamp() * 1000)
    last.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for file in folder.rglob("*.*"):
        os.utime(file, (then.timestamp(), then.timestamp()))


@pytest.mark.parametrize("hours", [5, 75])
def test_a_copy_that_a_rewrite_left_behind_goes_though_a_checkpoint_came_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """By the names in the log, and when it has forgotten them, by the age of the file."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    folder = tmp_path / "archive"
    archive(folder, [stored(0, 1, line(1, SECRET))], *([row(n)] for n in range(1, 6)))
    configure(str(folder), PROPERTIES)
    assert compact(str(folder), ["2017-09-14"]) == 5
    aged(folder, hours)
    DeltaTable(str(folder)).create_checkpoint()
    assert sum(SECRET in text for text in texts(tmp_path)) == 2
    assert job.main([f"x:{post_id(1)}", "--why", "w"]) == 0
    assert not any(SECRET in text for text in texts(tmp_path))
    assert Archive(str(folder)).days() == {"2017-09-14": 6}


def test_small_files_become_few_and_what_a_crash_left_behind_goes_when_it_is_old(tmp_path: Path) -> None:
    uri = str(tmp_path / "archive")
    archive(tmp_path / "archive", *([row(n)] for n in range(5)), [row(9, day="none")])
    orphan = tmp_path / "archive" / "day=2017-09-14" / "part-00000-never-committed.parquet"
    orphan.write_bytes(b"a text")
    assert compact(uri, ["2017-09-14"]) == 4
    vacuum(uri, timedelta(hours=1))
    assert len(list((tmp_path / "archive").rglob("*.parquet"))) == 8
    vacuum(uri)
    drop_orphans(uri, timedelta(hours=1))
    files = sorted((tmp_path / "archive").rglob("*.parquet"))
    assert (len(files), orphan in files) == (3, True)
    drop_orphans(uri, timedelta(0))
    assert sorted((tmp_path / "archive").rglob("*.parquet")) == [file for file in files if file != orphan]
    assert Archive(uri).days() == {"2017-09-14": 5, "none": 1}


def test_who_wrote_a_line_and_which_other_posts_lie_inside_it() -> None:
    quoted = json.loads(v1(1, SECRET, by="7009"))
    assert (author(v1(2, "a")), author(line(2, "a")), author(b'{"id":"5","text":"flat","author_id":"8"}')) == (
        *("7001", "7001", "8"),
    )
    assert [author(value) for value in (b"", b"{}", b"not json", b"\xff", b"[1]", b'{"user":3}')] == [None] * 6
    assert inside(v1(2, "a", quoted_status=quoted)) == {post_id(1)}
    assert inside(line(2, "a", includes={"tweets": [{"id": post_id(1), "text": SECRET}, {"id": "3"}]})) == {post_id(1)}
    assert inside(line(2, "a", in_reply_to_status_id_str=post_id(1))) == frozenset()
    nothing = (b"", b"[1]", b'{"referenced_tweets":[3,{"type":"quoted","id":"1"},{"type":"retweeted"}]}', b'{"id":"5"}')
    assert [(reposted(value), versions(value)) for value in nothing] == [(frozenset(), frozenset())] * 4
    assert reposted(v1(2, "a", retweeted_status={"id": 1})) == {"1"}
    history = {"initial_tweet_id": "1", "edit_tweet_ids": ["1", "2", "x"]}
    assert versions(v1(3, "a", edit_history=history)) == {"1", "2", post_id(3)}
