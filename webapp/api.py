"""The HTTP API, version 1: the same filter for every number, as JSON or CSV."""

from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify, request

from drinkstream.errors import BadInputError, NotFoundError, UnavailableError
from drinkstream.lookup import gather
from drinkstream.why import explain, parse
from webapp import answers, bundles, differences, moves, query, rejected, tables, trends
from webapp.basis import Basis
from webapp.download import download
from webapp.repeating import given_again
from webapp.serving import Serving, answered, serving

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

Answer = dict[str, Any]
Answering = Callable[[query.Asked, Basis], Answer]


@blueprint.get("/share")
def share() -> Response:
    """Counts, shares and mix by category or brand."""
    return _lasting(query.SHARE, answers.share, tables.share)


@blueprint.get("/trend")
def trend() -> Response:
    """Counts and shares by day, hour or minute."""
    return _lasting(query.TREND, trends.trend, tables.trend)


@blueprint.get("/posts")
def posts() -> Response:
    """The ids behind a number, with `texts=1` their texts too."""
    return _respond(query.POSTS, answers.posts, tables.posts)


@blueprint.get("/bundle")
def bundle() -> Response:
    """The answer of `share` as an evidence bundle."""
    here = serving()
    asked, base = ask(here, query.BUNDLE)
    name, content = bundles.bundle(asked, base, here.topic)
    response = Response(content, mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-At"] = base.token
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/why/<path:key>", merge_slashes=False)
def why(key: str) -> Response:
    """Why one post counts where it does."""
    response = cast(Response, current_app.json.response(explained(key)))
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/days")
def days() -> Response:
    """The layer and publication of each day."""
    return _lasting(query.COMMON, answers.days, tables.days)


@blueprint.get("/status")
def status() -> Response:
    """How fresh each layer is."""
    return _respond(query.COMMON, answers.status, tables.status)


@blueprint.get("/reconciliation/<day>")
def reconciliation(day: str) -> Response:
    """What the layers did not share on a day, by cause."""
    asked = query.parse_differences(day, request.args)
    view, state = serving().view, serving().view.state()
    if asked.csv:
        return _revalidated(download(tables.reconciliation(asked.day, differences.cells(asked, view, state))))
    return _revalidated(cast(Response, current_app.json.response(differences.reconciliation(asked, view, state))))


@blueprint.get("/rejections")
def rejections() -> Response:
    """Which published days have rejected records, for which reasons."""
    asked = query.parse_rejections(request.args)
    found = rejected.days(asked, serving().view.state())
    return _plain(asked.csv, found, tables.rejections)


@blueprint.get("/rejections/<day>")
def rejections_of_day(day: str) -> Response:
    """The rejected records of a published day, by reason, with the places of the first."""
    asked = query.parse_rejected_day(day, request.args)
    return _plain(asked.csv, rejected.day(asked, serving()), tables.rejections_of_day)


@blueprint.get("/difference/<day>")
def difference(day: str) -> Response:
    """What a run changes of the numbers in force, before it is published or after."""
    asked = query.parse_moves(day, request.args)
    here = serving()
    state = here.view.state()
    if asked.csv:
        return _revalidated(download(tables.difference(asked.day, moves.changed(asked, here.view))))
    found = moves.difference(asked, here.view, state, here.archive)
    return _revalidated(cast(Response, current_app.json.response(found)))


@blueprint.errorhandler(BadInputError)
def bad_input(error: BadInputError) -> tuple[Response, int]:
    """400: the message says what is allowed."""
    return jsonify(error=str(error)), 400


@blueprint.errorhandler(NotFoundError)
def not_found(error: NotFoundError) -> tuple[Response, int]:
    """404: the message says what there is."""
    return jsonify(error=str(error)), 404


@blueprint.errorhandler(UnavailableError)
def unavailable(error: UnavailableError) -> tuple[Response, int]:
    """503: not in memory, and the store does not answer."""
    response = jsonify(error=str(error))
    response.headers["Retry-After"] = "5"
    return response, 503


def _lasting(allowed: frozenset[str], answer: Answering, table: Callable[[Answer], str]) -> Response:
    """An answer that is the same as long as the state and what it takes of the clock are."""

    def make(asked: query.Asked, base: Basis) -> Response:
        return _made(asked, base, answer(asked, base), table)

    return given_again(allowed, make, ahead=True, published=True)


def _respond(allowed: frozenset[str], answer: Answering, table: Callable[[Answer], str]) -> Response:
    asked, base = ask(serving(), allowed)
    return _revalidated(_made(asked, base, answer(asked, base), table))


def _made(asked: query.Asked, base: Basis, found: Answer, table: Callable[[Answer], str]) -> Response:
    if not asked.csv:
        return cast(Response, current_app.json.response(found))
    response = Response(table(found), mimetype="text/csv")
    response.headers["X-At"] = base.token
    if found.get("next"):
        response.headers["X-Next"] = found["next"]
    return response


def _plain(csv: bool, found: Answer, table: Callable[[Answer], str]) -> Response:
    if csv:
        return _revalidated(Response(table(found), mimetype="text/csv"))
    return _revalidated(cast(Response, current_app.json.response(found)))


def _revalidated(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()  # but where it has one
    return cast(Response, response.make_conditional(request))


def ask(to: Serving, allowed: frozenset[str]) -> tuple[query.Asked, Basis]:
    """The question of the present request, and what it is answered from: one state, taken once."""
    return answered(to, allowed, request.args)


def explained(key: str) -> Answer:
    """All about the post `source:id`. Raises BadInputError for what names none, NotFoundError for one nobody knows."""
    if request.args:
        raise BadInputError(f"{', '.join(sorted(request.args))}: not a parameter here; why takes none")
    source, post_id = parse(key)
    here = serving()
    here.view.state()  # the store may never have been reached
    return explain(gather(here.archive, here.view.store(), here.topic, source, post_id))
