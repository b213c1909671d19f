"""Responses that are made once for each state, and given again to all who ask the same of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from flask import Flask, Response, current_app, request

from webapp.basis import Basis, same_until
from webapp.given import Given
from webapp.query import Asked
from webapp.serving import answered_at, serving
from webapp.view import State


def given_again(allowed: frozenset[str], make: Callable[[Asked, Basis], Response], ahead: bool = False) -> Response:
    """The answer to the present request: `make`'s, or what it made of the same address in the same state before.

    A request that names the answer's ETag gets 304. Raises as `make` and the parsing do; no error is given again.
    `ahead`: `make` needs no request, so that the next state may answer what is often asked before it is asked.
    """
    app, here, args = cast(Flask, cast(Any, current_app)._get_current_object()), serving(), request.args
    now = here.clock()
    state = here.view.state()

    def made(state: State, now: datetime) -> Given:
        with app.app_context():
            asked, base = answered_at(here, state, now, allowed, args)
            response = make(asked, base)
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        return Given(response.get_data(), tuple(response.headers), same_until(base))

    question = (request.script_root, request.path, request.query_string)
    found = state.given.get(question, now, lambda: made(state, now), made if ahead else None)
    return cast(Response, Response(found.body, headers=list(found.headers)).make_conditional(request))
