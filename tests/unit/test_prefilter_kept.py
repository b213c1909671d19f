"""A compiled prefilter is read by later processes as it was made, and made anew where it cannot be."""

import json
import os
from dataclasses import replace
from pathlib import Path

import hyperscan
import numpy as np
import pytest

from drinkstream import prefilter, prefilter_kept
from drinkstream.errors import UnavailableError
from drinkstream.prefilter import Prefilter
from drinkstream.prefilter_compile import database_of
from drinkstream.prefilter_patterns import Search
from drinkstream.taxonomy import Taxonomy, load
from streaming import jvm_prefilter

TEXTS = [
    "a cup of coffee",
    "cofffeee",
    "#ilovecoffee",
    "caf\u00e9 con leche",
    "nothing",
    "teamwork",
    "コーヒー",
]


@pytest.fixture(scope="module")
def few() -> Taxonomy:
    """A taxonomy that is compiled quickly."""
    terms = tuple(term for term in load().terms if term.category == "coffee" and not term.brand)
    return replace(load(), version="few", terms=terms)


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> list[Taxonomy]:
    """As in a process that has compiled nothing; the taxonomies that are compiled in it."""
    monkeypatch.setattr(prefilter, "_compiled", {})
    # the rare spellings of all letters take seconds to compile
    monkeypatch.setattr(prefilter, "other_spellings", lambda _: Search())
    compiled: list[Taxonomy] = []
    make = prefilter._compiled_anew
    monkeypatch.setattr(prefilter, "_compiled_anew", lambda taxonomy: compiled.append(taxonomy) or make(taxonomy))
    return compiled


def found(taxonomy: Taxonomy, folder: Path | None) -> list[bool]:
    """What a process that starts now lets through."""
    prefilter._compiled.clear()
    lines = [json.dumps({"text": text}, ensure_ascii=escaped).encode() for text in TEXTS for escaped in (True, False)]
    offsets = np.cumsum([0, *map(len, lines)])
    return Prefilter(taxonomy, folder).candidates(b"".join(lines), offsets).tolist()


def test_the_second_process_reads_what_the_first_has_made(few: Taxonomy, anew: list[Taxonomy], tmp_path: Path):
    folder = tmp_path / "prefilter"
    alone = found(few, None)
    assert True in alone
    assert False in alone
    assert found(few, folder) == alone
    assert anew == [few, few]
    assert found(few, folder) == alone
    assert anew == [few, few]


@pytest.mark.parametrize("damage", [b"", b"PK not an archive", None])
def test_a_damaged_file_is_made_anew(few: Taxonomy, anew: list[Taxonomy], tmp_path: Path, damage: bytes | None):
    right = found(few, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    broken = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    file.write_bytes(broken if damage is None else damage)
    assert found(few, tmp_path) == right
    assert anew == [few, few]
    assert found(few, tmp_path) == right
    assert anew == [few, few]


def test_another_taxonomy_has_a_file_of_its_own():
    folder = Path("folder")
    assert prefilter_kept.path_of(folder, "one") == prefilter_kept.path_of(folder, "one")
    assert prefilter_kept.path_of(folder, "one") != prefilter_kept.path_of(folder, "two")


def test_only_the_newest_stay_and_nothing_that_was_left_half_written(tmp_path: Path):
    (tmp_path / "killed.part").write_bytes(b"half")
    os.utime(tmp_path / "killed.part", (1, 1))
    for number in range(6):
        prefilter_kept.write(tmp_path / f"{number}.npz", {"array": np.array([number])})
        os.utime(tmp_path / f"{number}.npz", (number + 10, number + 10))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.npz", "3.npz", "4.npz", "5.npz"]
    kept = prefilter_kept.read(tmp_path / "5.npz")
    assert kept is not None
    assert kept["array"].tolist() == [5]
    assert prefilter_kept.read(tmp_path / "0.npz") is None


def test_of_the_files_for_sparks_jvm_only_the_newest_stay_and_one_that_is_used_is_new(tmp_path: Path):
    """Beside them others lie in the folder."""
    (tmp_path / "supervisor.part").write_bytes(b"another's")
    (tmp_path / "prefilter-killed.part").write_bytes(b"half")
    os.utime(tmp_path / "prefilter-killed.part", (1, 1))
    files = []
    for number in range(5):
        files.append(jvm_prefilter._kept(b"%d" % number, tmp_path))
        os.utime(files[-1], (number + 10, number + 10))
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "supervisor.part", *files[1:]])
    assert jvm_prefilter._kept(b"1", tmp_path) == files[1]
    another = jvm_prefilter._kept(b"another", tmp_path)
    assert sorted(tmp_path.glob("prefilter-*")) == sorted([files[1], files[3], files[4], another])
    assert another.read_bytes() == b"another"


def test_a_compiler_that_does_not_get_to_its_end_is_told(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(UnavailableError, match="compiling the prefilter ended with 1: see"):
        database_of([b"(coffee"])
    assert "Missing close parenthesis" in capfd.readouterr().err


def test_what_compiles_finds_the_same_modules_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    database = hyperscan.loadb(database_of([b"coffee", b"\xc3\xa9"]), mode=hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    seen: list[tuple[int, int]] = []
    database.scan(
        "Coffee, caf\u00e9".encode(), match_event_handler=lambda number, _, end, *__: seen.append((number, end))
    )
    assert seen == [(0, 6), (1, 13)]
