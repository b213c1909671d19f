"""Responses that are made once for each state, and given again to all who ask the same of it."""

from collections.abc import Callable
from typing import cast

from flask import Response, request

from webapp.basis import Basis, same_until
from webapp.given import Given
from webapp.query import Asked
from webapp.serving import answered_at, serving


def given_again(allowed: frozenset[str], make: Callable[[Asked, Basis], Response]) -> Response:
    """The answer to the present request: `make`'s, or what it made of the same address in the same state before.

    A request that names the answer's ETag gets 304. Raises as `make` and the parsing do; no error is given again.
    """
    here = serving()
    now = here.clock()
    state = here.view.state()

    def made() -> Given:
        asked, base = answered_at(here, state, now, allowed, request.args)
        response = make(asked, base)
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        return Given(response.get_data(), tuple(response.headers), same_until(base))

    found = state.given.get((request.script_root, request.path, request.query_string), now, made)
    return cast(Response, Response(found.body, headers=list(found.headers)).make_conditional(request))
