"""The bundle's file: the same bytes for the same parts, and every change of it refused by name."""

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from drinkstream.bundle import MANIFEST, cells_of_part, cells_part, pack, plain, rules, unpack, whole
from drinkstream.errors import BadInputError, IntegrityError

PARTS = {"answer.json": b'{"total": 3}\n', "ids/2017-09-14.jsonl": b"", "RECIPE.md": "# wie man's nachzählt\n".encode()}


def rezipped(change: Callable[[dict[str, bytes]], None], data: bytes | None = None) -> bytes:
    """The bundle with its entries changed, in a zip that is sound itself."""
    with zipfile.ZipFile(io.BytesIO(data or pack(PARTS))) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    change(entries)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return written.getvalue()


def manifest(**changed: object) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        entries[MANIFEST] = json.dumps({**json.loads(entries[MANIFEST]), **changed}).encode()

    return change


def test_the_same_parts_are_the_same_bytes_in_whatever_order() -> None:
    assert pack(dict(reversed(PARTS.items()))) == pack(PARTS)
    assert unpack(pack(PARTS)) == PARTS


def test_the_hash_is_that_of_the_sums_which_anybody_can_make(tmp_path: Path) -> None:
    """As two commands of any Unix give it, from the unpacked parts."""
    for name, content in PARTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    sums = subprocess.run(["sha256sum", *sorted(PARTS)], cwd=tmp_path, capture_output=True, check=True)
    made = subprocess.run(["sha256sum"], input=sums.stdout, capture_output=True, check=True)
    assert made.stdout.decode().split()[0] == whole(PARTS)
    with zipfile.ZipFile(io.BytesIO(pack(PARTS))) as file:
        assert json.loads(file.read(MANIFEST))["hash"] == whole(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_was_changed_is_named(name: str) -> None:
    def change(entries: dict[str, bytes]) -> None:
        entries[name] += b" "

    with pytest.raises(IntegrityError, match=f"^{name}: changed since"):
        unpack(rezipped(change))


def test_a_part_that_was_taken_away_or_added_is_named() -> None:
    with pytest.raises(IntegrityError, match=r"^RECIPE.md: named in the manifest, and not in the bundle"):
        unpack(rezipped(lambda entries: entries.pop("RECIPE.md") and None))
    with pytest.raises(IntegrityError, match=r"^more.txt: in the bundle, and not named"):
        unpack(rezipped(lambda entries: entries.update({"more.txt": b""})))


def test_a_hash_that_is_not_that_of_the_parts_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"^manifest.json: its hash is not that of the parts"):
        unpack(rezipped(manifest(hash="0" * 64)))


def test_a_part_that_stands_twice_is_named() -> None:
    written = io.BytesIO(pack(PARTS))
    with zipfile.ZipFile(written, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("answer.json", b"{}")
    with pytest.raises(IntegrityError, match=r"^answer.json: in the bundle twice"):
        unpack(written.getvalue())


def test_bytes_flipped_in_the_file_are_seen_wherever_they_are() -> None:
    """In what is packed, or in what leads to it; never is it read as if nothing were."""
    good = pack(PARTS)
    read = 0
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
        try:
            assert unpack(bad) == PARTS, at
            read += 1  # a date or a mode, which is no part
        except (BadInputError, IntegrityError):
            continue
    assert read < len(good) // 2


@pytest.mark.parametrize("length", [0, 1, 21, 100, -1, -23])
def test_a_file_that_was_cut_off_is_no_bundle(length: int) -> None:
    with pytest.raises(BadInputError, match="not a bundle, or cut off"):
        unpack(pack(PARTS)[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK is not enough", "not a bundle, or cut off"),
        (b'{"total": 3}', "not a bundle, or cut off"),
        (rezipped(lambda entries: entries.pop(MANIFEST) and None), r"it has no manifest\.json"),
        (rezipped(lambda entries: entries.update({MANIFEST: b"[]"})), r"its manifest\.json says nothing"),
        (rezipped(lambda entries: entries.update({MANIFEST: b"{"})), r"its manifest\.json says nothing"),
        (rezipped(manifest(parts=[1])), r"its manifest\.json says nothing"),
        (rezipped(manifest(format="something else")), "is of 'something else'"),
        (rezipped(manifest(version=2)), "of version 2, and version 1 is known here: use a newer drinkstream"),
    ],
)
def test_what_is_no_bundle_is_refused_and_told_so(data: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        unpack(data)


def test_a_bundle_that_claims_to_be_huge_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drinkstream.bundle.MOST_BYTES", 10)
    with pytest.raises(BadInputError, match="at most 10 may be"):
        unpack(pack(PARTS))


def test_cells_come_back_as_they_were_written() -> None:
    """In one order, integer ids by value; any id is text."""
    odd = 'at://x/"\u2028\n\ud800'
    cells = {
        ("2017-09-14T08", 1, "tea", "", "x", "original", "en"): {"102", "9", "11"},
        ("2017-09-14T08", 1, "*", "", "mastodon", "reply", "und"): {odd},
    }
    part = cells_part(cells)
    assert part.splitlines()[1] == b'["2017-09-14T08:01Z","tea","","x","original","en",["9","11","102"]]'
    assert cells_of_part("ids/x", part) == {cell: frozenset(ids) for cell, ids in cells.items()}
    assert cells_part({}) == b""


@pytest.mark.parametrize("line", [b"{", b"[1]", b'["2017-09-14T08:01Z","tea","","x","original","en",3]', b"null"])
def test_a_line_that_is_no_cell_is_named(line: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"^ids/2017-09-14\.jsonl, line 2: not a cell"):
        cells_of_part("ids/2017-09-14.jsonl", cells_part({("2017-09-14T08", 1, *"abcde"): {"1"}}) + line + b"\n")


def test_the_rules_are_those_of_each_meaning_and_one_that_was_not_kept_is_named() -> None:
    found = rules({"m1": {"taxonomy.toml": "a", "taxonomy/en.toml": "é"}, "m0": {}})
    assert found == {
        "rules/m1/taxonomy.toml": b"a",
        "rules/m1/taxonomy/en.toml": "é".encode(),
        "rules/known.json": plain({"m0": None, "m1": ["taxonomy.toml", "taxonomy/en.toml"]}),
    }
