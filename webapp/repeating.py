"""Responses that are made once for each state, and given again to all who ask the same of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, current_app, request
from werkzeug.http import http_date, is_resource_modified, remove_entity_headers

from webapp.basis import Basis, same_until
from webapp.given import Given
from webapp.headers import HEADERS
from webapp.query import Asked
from webapp.serving import Serving, answered_at, serving
from webapp.view import STALE_AFTER, State

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CONDITIONS = frozenset(
    {
        *("HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"),
        *("HTTP_RANGE", "HTTP_IF_RANGE"),
    }
)
"""Of a request with one of these the whole application decides."""


def given_again(
    allowed: frozenset[str], make: Callable[[Asked, Basis], Response], ahead: bool = False, published: bool = False
) -> Response:
    """The answer to the present request: `make`'s, or what it made of the same address in the same state before.

    A request that names the answer's ETag gets 304. Raises as `make` and the parsing do; no error is given again.
    `ahead`: `make` needs no request, so that the next state may answer what is often asked before it is asked.
    `published`: the answer tells of its days alone, so that other states may give it too while these stay as they are.
    """
    app, here, args = cast(Flask, cast(Any, current_app)._get_current_object()), serving(), request.args
    now = here.clock()
    state, question = here.view.state(), _question(request.environ)

    def made(state: State, now: datetime) -> Given:
        if published and (kept := here.published.known(question, state, now)) is not None:
            # a state that nothing follows is stale at some time, and then says so
            return replace(kept, until=min(kept.until, state.read_at + STALE_AFTER))
        with app.app_context():
            asked, base = answered_at(here, state, now, allowed, args)
            response = make(asked, base)
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        body = response.get_data()
        response.headers["Content-Length"] = str(len(body))
        found = Given(body, tuple(response.headers), same_until(base))
        if published:
            here.published.keep(question, found, base)
        return found

    found = state.given.get(question, now, lambda: made(state, now), made if ahead else None)
    return cast(Response, Response(found.body, headers=list(found.headers)).make_conditional(request))


class Repeating:
    """The application with a short way in front: what was given before and still holds needs none of its routing."""

    def __init__(self, behind: "WSGIApplication", here: Serving) -> None:
        self._behind = behind
        self._here = here

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """As WSGI has it."""
        found = self._known(environ)
        if found is None:
            return self._behind(environ, start_response)
        status, headers, body = "200 OK", list(found.headers), found.body
        # what the dashboard asks every two seconds: whether the answer that it has still holds
        if "HTTP_IF_NONE_MATCH" in environ and not is_resource_modified(environ, dict(headers)["ETag"]):
            status, body = "304 NOT MODIFIED", b""
            remove_entity_headers(headers)
        start_response(status, [*headers, ("Date", _date(int(time()))), *HEADERS.items()])
        return [body]

    def _known(self, environ: "WSGIEnvironment") -> Given | None:
        state = self._here.view.peek()
        if state is None or environ["REQUEST_METHOD"] != "GET" or not environ.keys().isdisjoint(_CONDITIONS):
            return None
        question, now = _question(environ), self._here.clock()
        return state.given.known(question, now) or self._here.published.known(question, state, now)


def _question(environ: "WSGIEnvironment") -> tuple[str, str, str]:
    return environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return http_date(second)
