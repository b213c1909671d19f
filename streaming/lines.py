"""A byte stream as its lines: gzip, bzip2 or plain, lines of any length, no byte of a line ever changed."""

import bz2
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from drinkstream.errors import BadInputError

LINE_LIMIT = 64 * 1024 * 1024  # bytes; a longer line is not held in memory, see `Oversize`
OVERSIZE_KEPT = 64 * 1024  # bytes of a longer line that are kept


@dataclass(frozen=True, slots=True)
class Oversize:
    """A line too long to be held: its first `OVERSIZE_KEPT` bytes and its whole length in bytes."""

    start: bytes
    length: int


class CutOffError(BadInputError):
    """The compressed data ends in the middle or is damaged: all that could be read was handed out before."""


class PackedError(BadInputError):
    """The data has no lines before somebody unpacks it; nothing of it was handed out."""


@dataclass(frozen=True, slots=True)
class Packing:
    """A compression that is read here; what `member` makes is used as what `zlib.decompressobj` makes."""

    name: str
    magic: bytes
    member: Callable[[], Any]


PACKINGS = (
    Packing("gzip", b"\x1f\x8b", lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    Packing("bzip2", b"BZh", bz2.BZ2Decompressor),
)
UNREAD = (
    (b"\xfd7zXZ\0", "xz data", "xz -d"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "zstd -d"),
    (b"PK\3\4", "a zip archive", "unzip"),
    # only where they are packed twice
    *((packing.magic, f"{packing.name} data", f"{packing.name} -d") for packing in PACKINGS),
)
"""First bytes of what is not read here, its name, and what unpacks it."""
TAR = slice(257, 262)  # where the header of a tar archive says `ustar`


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, decompressed where they are gzip or bzip2 (recognised by their first bytes), else as they are.

    Several members one after the other are one stream, as for `zcat`. Raises CutOffError at the end of what could be
    read where a member is cut off or damaged, and for bytes after the last member other than zeros; PackedError before
    anything where that is an archive, or packed in another way.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= max(len(packing.magic) for packing in PACKINGS):
            break
    for packing in PACKINGS:
        if head.startswith(packing.magic):
            return _looked_at(_members(packing, head, source))
    return _looked_at(chain([head], source))


def _looked_at(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as they are. Raises PackedError where they begin as no lines do."""
    source = iter(chunks)
    head, fault = b"", None
    try:
        for chunk in source:
            head += chunk
            if len(head) >= TAR.stop or b"\n" in head:  # no whole line of a pipe is held back
                break
    except (CutOffError, OSError) as error:
        fault = error
    _refuse(head)
    if head:
        yield head
    if fault is not None:
        raise fault
    yield from source


def _refuse(head: bytes) -> None:
    found = next((known for known in UNREAD if head.startswith(known[0])), None)
    # a post may say "mustard" there, but has no NUL
    if found is None and head[TAR] == b"ustar" and b"\0" in head[: TAR.start]:
        found = (b"", "a tar archive", "tar -xf")
    if found is not None:
        _, what, command = found
        raise PackedError(f"it holds {what} and no lines: unpack it first, `{command}`")


def _members(packing: Packing, data: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    member = packing.member()
    while True:
        try:
            text = member.decompress(data)
        except (zlib.error, OSError) as error:  # bzip2's are OSErrors
            raise CutOffError(f"the {packing.name} data is damaged ({error})") from None
        if text:
            yield text
        if member.eof:
            data = member.unused_data.lstrip(b"\0")
            while len(data) < len(packing.magic):
                more = next(source, None)
                if more is None:
                    if data:
                        raise CutOffError(f"there are bytes after the end of the {packing.name} data")
                    return
                data = (data + more).lstrip(b"\0")
            if not data.startswith(packing.magic):
                raise CutOffError(f"there are bytes after the end of the {packing.name} data")
            member = packing.member()
            continue
        following = next(source, None)
        if following is None:
            raise CutOffError(f"the {packing.name} data ends in the middle")
        data = following


def lines(chunks: Iterable[bytes], limit: int = LINE_LIMIT) -> Iterator[bytes | Oversize]:
    """The lines of a byte stream without their delimiter, which is LF or CR LF; a bare CR is part of its line.

    A blank line comes out as `b""`; the empty rest after a last delimiter is no line. An error of the stream is raised
    after the line that it cut, which comes out as far as it was received.
    """
    held: list[bytes] = []
    size = 0
    source = iter(chunks)
    while True:
        try:
            chunk = next(source)
        except StopIteration:
            break
        except Exception:
            if size:
                yield _line(held, size, limit)
            raise
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            held.append(chunk[start:end])
            yield _line(held, size + end - start, limit)
            held, size, start = [], 0, end + 1
        if start < len(chunk):
            if size <= limit:
                held.append(chunk[start:])
            size += len(chunk) - start
    if size:
        yield _line(held, size, limit)


def _line(held: list[bytes], size: int, limit: int) -> bytes | Oversize:
    """The line made of the pieces `held`; a piece may be missing at the end where `size` is above the limit."""
    line = held[0] if len(held) == 1 else b"".join(held)
    if size > limit:
        return Oversize(line[:OVERSIZE_KEPT], size)
    return line[:-1] if line.endswith(b"\r") else line
