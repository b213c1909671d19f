"""Bytes become lines: none is lost, none is changed, whatever the chunks, the compression and the damage."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.lines import OVERSIZE_KEPT, CutOffError, Oversize, PackedError, lines, unpacked


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    """The data in pieces of `size` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_both_delimiters_are_stripped_and_nothing_else(size: int) -> None:
    """LF and CR LF end a line; blanks, a lone CR and a NUL are part of it; a blank line is a line."""
    data = b"one\r\ntwo \n\n\rthree\r\r\n\x00\n\r\nlast"
    assert list(lines(chunks(data, size))) == [b"one", b"two ", b"", b"\rthree\r", b"\x00", b"", b"last"]


def test_the_empty_rest_after_the_last_delimiter_is_no_line() -> None:
    """`a LF` is one line, an empty file none."""
    assert list(lines([b"a\n"])) == [b"a"]
    assert list(lines([])) == []


@given(
    st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))),
    st.integers(1, 7),
)
def test_any_lines_come_back_from_any_chunks(wanted: list[bytes], size: int) -> None:
    """Joined by LF and taken apart again, the lines are the same bytes."""
    assert list(lines(chunks(b"".join(line + b"\n" for line in wanted), size))) == wanted


def test_a_line_above_the_limit_is_told_by_its_start_and_length() -> None:
    """Its bytes are not held; the lines around it are whole."""
    data = b"before\n" + b"x" * 200_000 + b"\nafter\n"
    assert list(lines(chunks(data, 1000), limit=100_000)) == [
        b"before",
        Oversize(b"x" * OVERSIZE_KEPT, 200_000),
        b"after",
    ]


def test_a_broken_stream_hands_out_the_line_that_it_cut() -> None:
    """The rest that was received comes first, then the error."""

    def broken() -> Iterator[bytes]:
        yield b"one\ntw"
        raise ConnectionError("reset")

    seen = []
    with pytest.raises(ConnectionError, match="reset"):
        seen.extend(lines(broken()))
    assert seen == [b"one", b"tw"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_gzip_is_told_by_its_first_bytes(size: int) -> None:
    """Plain bytes pass, gzip is unpacked, several members are one stream, zeros after the end are padding."""
    packed = gzip.compress(b"one\ntwo\n") + gzip.compress(b"three\n") + b"\0" * 5
    assert b"".join(unpacked(chunks(packed, size))) == b"one\ntwo\nthree\n"
    assert b"".join(unpacked(chunks(b"one\ntwo\n", size))) == b"one\ntwo\n"
    assert b"".join(unpacked(chunks(b"\x1f", size))) == b"\x1f"
    assert b"".join(unpacked([])) == b""


def read_until_cut(data: bytes) -> tuple[bytes, str]:
    """What was handed out before the error, and the error's message."""
    out = b""
    try:
        for text in unpacked(chunks(data, 100)):
            out += text
    except CutOffError as error:
        return out, str(error)
    raise AssertionError("no error")


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_bzip2_is_told_and_read_as_gzip_is(size: int) -> None:
    """The archives of old streams are files of it."""
    packed = bz2.compress(b"one\ntwo\n") + bz2.compress(b"three\n")
    assert b"".join(unpacked(chunks(packed, size))) == b"one\ntwo\nthree\n"
    assert read_until_cut(packed[:-30]) == (b"one\ntwo\n", "the bzip2 data ends in the middle")
    assert read_until_cut(packed + b"junk")[1] == "there are bytes after the end of the bzip2 data"
    assert read_until_cut(packed[:20] + b"junk" + packed[24:])[1].startswith("the bzip2 data is damaged")


def tarred(name: str) -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), None)
    return out.getvalue()


def zipped() -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("posts", "one\n")
    return out.getvalue()


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("data", "told"),
    [
        (tarred("posts"), "a tar archive and no lines: unpack it first, `tar -xf`"),
        (tarred("p" * 100), "a tar archive"),
        (zipped(), "a zip archive and no lines: unpack it first, `unzip`"),
        (lzma.compress(b"one\n"), "xz data and no lines: unpack it first, `xz -d`"),
        (b"\x28\xb5\x2f\xfd\x24\x04\x21\0\0one\n", "zstd data and no lines: unpack it first, `zstd -d`"),
    ],
)
def test_what_has_to_be_unpacked_first_is_named_before_anything(data: bytes, told: str, size: int) -> None:
    """As it is, and within what is read here."""
    for packed in (data, gzip.compress(data), bz2.compress(data)):
        seen = []
        with pytest.raises(PackedError, match=f"^it holds {told}"):
            seen.extend(lines(unpacked(chunks(packed, size))))
        assert seen == []


def test_what_is_packed_twice_is_named() -> None:
    """Its lines would be junk."""
    for inner, told in ((gzip.compress(b"one"), "gzip"), (bz2.compress(b"one"), "bzip2")):
        with pytest.raises(PackedError, match=f"it holds {told} data and no lines: unpack it first, `{told} -d`"):
            list(unpacked([gzip.compress(inner)]))


def test_a_post_about_mustard_is_no_archive() -> None:
    """The letters of tar's mark stand where a tar has them."""
    line = b"x" * 256 + b"mustard"
    assert line[257:262] == b"ustar"
    assert list(lines(unpacked([line]))) == [line]


def test_no_line_of_a_pipe_is_held_back() -> None:
    """Not even the first, however short."""
    came = unpacked(iter([b"one\n", b"two\n"]))
    assert next(came) == b"one\n"


def test_a_cut_off_gzip_file_is_read_as_far_as_it_goes() -> None:
    """First everything that can be unpacked, then an error that says what is wrong."""
    text = "".join(f"line {n} {n * n}\n" for n in range(2000)).encode()
    out, message = read_until_cut(gzip.compress(text)[:-500])
    assert message == "the gzip data ends in the middle"
    assert len(out) > 10_000
    assert text.startswith(out)
    out, _ = read_until_cut(gzip.compress(b"one line", 0)[:-9])
    assert out == b"one lin"


def test_damaged_and_trailing_bytes_are_errors() -> None:
    """Bytes after the last member that are no member, and a member whose checksum is wrong."""
    packed = gzip.compress(b"one\n")
    assert read_until_cut(packed + b"junk") == (b"one\n", "there are bytes after the end of the gzip data")
    assert read_until_cut(packed + b"j") == (b"one\n", "there are bytes after the end of the gzip data")
    damaged = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    assert read_until_cut(damaged)[1].startswith("the gzip data is damaged")
