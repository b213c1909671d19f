"""A byte stream as its lines: gzip or plain, lines of any length, no byte of a line ever changed."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from drinkstream.errors import BadInputError

GZIP_MAGIC = b"\x1f\x8b"
LINE_LIMIT = 64 * 1024 * 1024  # bytes; a longer line is not held in memory, see `Oversize`
OVERSIZE_KEPT = 64 * 1024  # bytes of a longer line that are kept


@dataclass(frozen=True, slots=True)
class Oversize:
    """A line too long to be held: its first `OVERSIZE_KEPT` bytes and its whole length in bytes."""

    start: bytes
    length: int


class CutOffError(BadInputError):
    """The compressed data ends in the middle or is damaged: all that could be read was handed out before."""


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, decompressed where they are gzip (recognised by its first two bytes), else as they are.

    Several gzip members one after the other are one stream, as for `zcat`. Raises CutOffError at the end of what could
    be read where a member is cut off or damaged, and for bytes after the last member other than zeros.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= len(GZIP_MAGIC):
            break
    if not head.startswith(GZIP_MAGIC):
        if head:
            yield head
        yield from source
        return
    yield from _members(head, source)


def _members(data: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while True:
        try:
            text = member.decompress(data)
        except zlib.error as error:
            raise CutOffError(f"the gzip data is damaged ({error})") from None
        if text:
            yield text
        if member.eof:
            data = member.unused_data.lstrip(b"\0")
            while len(data) < len(GZIP_MAGIC):
                more = next(source, None)
                if more is None:
                    if data:
                        raise CutOffError("there are bytes after the end of the gzip data")
                    return
                data = (data + more).lstrip(b"\0")
            if not data.startswith(GZIP_MAGIC):
                raise CutOffError("there are bytes after the end of the gzip data")
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            continue
        following = next(source, None)
        if following is None:
            raise CutOffError("the gzip data ends in the middle")
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
