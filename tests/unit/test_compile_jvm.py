"""What runs in Spark's JVM is compiled once for its source, and a fault in the source is said as one."""

import zipfile
from pathlib import Path

import pytest

from drinkstream.errors import DrinkStreamError, UnavailableError
from stack import compile_jvm
from streaming import jvm_classes


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source of its own, and a place for what is made of it."""
    path = tmp_path / "One.java"
    monkeypatch.setattr(jvm_classes, "FOLDER", tmp_path)
    monkeypatch.setattr(jvm_classes.sys, "prefix", str(tmp_path))
    return path


def test_a_source_is_compiled_once(source: Path, monkeypatch: pytest.MonkeyPatch):
    source.write_text("package one; public final class One { static final class Two {} }")
    assert compile_jvm.main() == 0
    with zipfile.ZipFile(jvm_classes.jar()) as archive:
        assert archive.namelist() == ["one/One.class", "one/One$Two.class"]
        assert archive.read("one/One.class").startswith(bytes.fromhex("cafebabe"))
    monkeypatch.delattr(compile_jvm, "compiled")
    assert compile_jvm.main() == 0


def test_each_source_is_compiled_by_itself(source: Path):
    source.write_text("package one; public final class One {}")
    source.with_name("Two.java").write_text("package one; public final class Two {}")
    assert compile_jvm.main() == 0
    with zipfile.ZipFile(jvm_classes.jar()) as archive:
        assert archive.namelist() == ["one/One.class", "one/Two.class"]


def test_where_nothing_is_compiled_one_is_told_what_to_do(source: Path):
    source.write_text("class One {}")
    with pytest.raises(UnavailableError, match="run make install"):
        jvm_classes.require()
    assert compile_jvm.main() == 0
    jvm_classes.require()


def test_edited_source_has_another_jar(source: Path):
    source.write_text("class One {}")
    before = jvm_classes.jar()
    source.write_text("class One { int two; }")
    assert jvm_classes.jar() != before


def test_a_fault_in_the_source_is_named(source: Path, capsys: pytest.CaptureFixture[str]):
    source.write_text("class One { int two() { return three; } }")
    assert compile_jvm.main() == DrinkStreamError.exit_code
    assert "One.java does not compile" in (said := capsys.readouterr().err)
    assert "three" in said
    assert not jvm_classes.jar().exists()
