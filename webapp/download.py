"""A long table as a response: written to disk before its first byte goes out, so none ends early and looks whole."""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore

from flask import Response

from drinkstream.errors import UnavailableError

IN_MEMORY = 1 << 20
"""Bytes of a table that is not written to disk."""

_CHUNK = 1 << 16

AT_ONCE = 2
"""Long tables sent at a time: each holds a thread of the server for as long as its reader takes."""

_sending = BoundedSemaphore(AT_ONCE)


def download(lines: Iterable[str]) -> Response:
    """The lines as CSV, with an ETag. Raises what the lines raise, and holds few of them in memory.

    Raises UnavailableError where the table is long and AT_ONCE others are being sent.
    """
    with ExitStack() as until_sent:
        written = until_sent.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        known = sha256()
        for line in lines:
            content = line.encode()
            written.write(content)
            known.update(content)
        length = written.tell()
        written.seek(0)
        if length <= IN_MEMORY:
            response = Response(written.read(), mimetype="text/csv")
        else:
            if not _sending.acquire(blocking=False):
                raise UnavailableError(f"{AT_ONCE} long tables are being sent to others: ask again in a while")
            until_sent.callback(_sending.release)
            response = Response(iter(partial(written.read, _CHUNK), b""), mimetype="text/csv")
            response.content_length = length
            response.call_on_close(until_sent.pop_all().close)
    response.set_etag(known.hexdigest())
    return response
