"""What Cassandra answers arrives whole, wherever the network cuts it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from drinkstream.settings import Settings
from drinkstream.store.session import connect

QUESTIONS = 20
PIECE = 5
"""Bytes: fewer than the header of what version 5 of the protocol wraps answers in."""


def test_an_answer_is_read_whole_wherever_it_is_cut(cassandra_server: Settings):
    """In small pieces: what is read from the socket ends, now and then, within each of an answer's parts."""
    with cutting(cassandra_server.cassandra_port) as port:
        through = cassandra_server.model_copy(update={"cassandra_port": port})
        session = connect(through, through.reader_login())
        try:
            asked = session.prepare("SELECT key, release_version FROM system.local WHERE key = ?")
            answers = [session.execute(asked, ("local",), timeout=10).all() for _ in range(QUESTIONS)]
        finally:
            session.cluster.shutdown()
    assert {row.key for rows in answers for row in rows} == {"local"}
    assert [len(rows) for rows in answers] == [1] * QUESTIONS


@contextmanager
def cutting(port: int) -> Iterator[int]:
    """A port of this machine that leads to another one, and brings what comes from there in small pieces."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, port), daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread, which else would wait for ever


def _accept(server: socket.socket, port: int) -> None:
    while True:
        try:
            near, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_lead, args=(near, port), daemon=True).start()


def _lead(near: socket.socket, port: int) -> None:
    with suppress(OSError), near, socket.create_connection(("127.0.0.1", port)) as far:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        there = threading.Thread(target=_bring, args=(near, far, 65536), daemon=True)
        there.start()
        _bring(far, near, PIECE)
        there.join()


def _bring(source: socket.socket, to: socket.socket, at_once: int) -> None:
    """What comes from `source`, in pieces of at most so many bytes, until one side closes; then neither goes on."""
    with suppress(OSError):
        while piece := source.recv(at_once):
            to.sendall(piece)
    for end in (source, to):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
