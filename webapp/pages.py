"""The pages: the dashboard, and the list of posts behind a number. Both show what answers.py returns."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, get_args

from flask import Blueprint, Response, make_response, render_template, request, send_from_directory, url_for

from drinkstream import words
from drinkstream.cells import ANY, ANY_BRAND, ANY_DRINK, Level
from drinkstream.errors import BadInputError, NotFoundError, UnavailableError
from drinkstream.explain import installed
from drinkstream.share import KINDS, By, denominator, percentage
from webapp import answers, bundles, differences, moves, query, rejected
from webapp.api import ask, explained
from webapp.basis import Basis
from webapp.holes import holes
from webapp.listing import MAX_DAYS
from webapp.repeating import given_again
from webapp.serving import serving
from webapp.texts import MAX_TEXTS

blueprint = Blueprint("pages", __name__)

PAGE = query.SHARE | {"grain"}
"""Parameters of the dashboard's address; `grain` is that of its trend."""


@blueprint.get("/")
def dashboard() -> str:
    """The drinks with their numbers, the pie, the trend, and where each day's numbers come from."""
    return render_template("dashboard.html", **_dashboard(*ask(serving(), PAGE)))


@blueprint.get("/numbers")
def numbers() -> Response:
    """The parts of the dashboard that move, which its script fetches again and again."""
    return given_again(
        PAGE, lambda asked, base: make_response(render_template("fragment.html", **_dashboard(asked, base)))
    )


def _dashboard(asked: query.Asked, base: Basis) -> dict[str, Any]:
    here = serving()
    answer_by = {by: answers.share(asked.by_dimension(by), base) for by in get_args(By)}
    wholes = {by: denominator(by, asked.narrowed) for by in get_args(By)}
    today, days = base.now.date(), answers.days(asked, base)["days"]
    status = answers.status(asked, base)
    not_begun = sum(day["reason"] == answers.NOT_BEGUN for day in days)
    return {
        "asked": asked,
        "known": here.names.known(here.view.keys),
        "kinds": KINDS,
        "answer_by": answer_by,
        "shown": answer_by[asked.by],
        "too_many": bundles.too_many(answer_by[asked.by]),
        "wholes": {
            by: (None if level.category == ANY else level.category, level.brand or None) for by, level in wholes.items()
        },
        "denominators": {by: _named(level) for by, level in wholes.items()},
        "status": status,
        "not_begun": not_begun,
        "missing": status["days"]["missing"] - not_begun,
        "ranges": [_askable(first, last) for first, last in answers.spans(base.state.days)[-6:]],
        "days": days,
        "holes": holes(base),
        "in_force": {p.run_id for p in base.state.now.publications.values()},
        "put_back": moves.put_back(base.state, (day.publication for day in base.days if day.publication is not None)),
        "given": request.args.to_dict(),
        "today": str(today),
        "week": str(today - timedelta(days=6)),
        "month": str(today - timedelta(days=29)),
    }


def _askable(first: date, last: date) -> tuple[str, str]:
    # of a span that is longer than a question may be, the newest part
    return str(max(first, last - timedelta(days=MAX_DAYS - 1))), str(last)


def _named(level: Level) -> str:
    if level == ANY_DRINK:
        return "any drink"
    if level == ANY_BRAND:
        return "any brand"
    return level.brand or level.category


@blueprint.get("/posts")
def posts() -> str:
    """The posts behind a number, page by page; their texts are left out with `texts=0` only."""
    asked, base = ask(serving(), query.POSTS - {"format"})
    if request.args.get("texts") != "0" and asked.limit <= MAX_TEXTS:
        asked = replace(asked, texts=True)
    answer = answers.posts(asked, base)
    given = request.args.to_dict()
    return render_template(
        "posts.html",
        asked=asked,
        answer=answer,
        texts={row["id"]: row for row in answer.get("texts") or ()},
        given=given,
        for_api={name: value for name, value in given.items() if name != "texts"}
        | ({"texts": "1"} if asked.texts else {}),
        most_texts=MAX_TEXTS,
    )


@blueprint.get("/why/<path:key>", merge_slashes=False)
def why(key: str) -> str:
    """Everything about one post."""
    return render_template("why.html", answer=explained(key))


@blueprint.get("/reconciliation/<day>")
def reconciliation(day: str) -> str:
    """What the layers did not share on a published day, and why."""
    asked = query.parse_differences(day, request.args, query.RECONCILIATION - {"format"})
    answer = differences.reconciliation(asked, serving().view, serving().view.state())
    return render_template("reconciliation.html", answer=answer, given=request.args.to_dict())


@blueprint.get("/rejections/<day>")
def rejections(day: str) -> str:
    """The rejected records of a published day, and how each reads now."""
    asked = query.parse_rejected_day(day, request.args)
    return render_template("rejections.html", answer=rejected.day(asked, serving()), given=request.args.to_dict())


@blueprint.get("/difference/<day>")
def difference(day: str) -> str:
    """What a run changes of a day's numbers: counts, shares, and the posts that move with the rule that moves them."""
    asked = query.parse_moves(day, request.args, query.DIFFERENCE - {"format"})
    if request.args.get("texts") != "0" and asked.limit is not None and asked.limit <= MAX_TEXTS:
        asked = replace(asked, texts=True)
    here = serving()
    answer = moves.difference(asked, here.view, here.view.state(), here.archive)
    return render_template("difference.html", answer=answer, given={**request.args.to_dict(), "run": answer["run"]})


@blueprint.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """A file of the chart library that the set-up downloaded."""
    return send_from_directory(serving().assets, name, max_age=86400)


@blueprint.errorhandler(BadInputError)
def bad_input(error: BadInputError) -> tuple[str, int]:
    """400, with what is allowed."""
    return render_template("error.html", title="This question cannot be answered", message=str(error)), 400


@blueprint.errorhandler(NotFoundError)
def not_found(error: NotFoundError) -> tuple[str, int]:
    """404, with what there is."""
    return render_template("error.html", title="Nothing to show", message=str(error)), 404


@blueprint.errorhandler(UnavailableError)
def unavailable(error: UnavailableError) -> tuple[str, int, Mapping[str, str]]:
    """503: the store or the archive is away. Before the first numbers the page asks again by itself."""
    none = serving().view.peek() is None
    title = "No numbers yet" if none else "Cannot be answered now"
    page = render_template("error.html", title=title, message=str(error), again=none)
    return page, 503, {"Retry-After": "3"}


@blueprint.app_template_global()
def posts_url(asked: query.Asked, at: str, category: str | None, brand: str | None, day: str | None = None) -> str:
    """The address of the posts behind one number of the page."""
    values: dict[str, Any] = {**_given(asked), "category": category, "brand": brand, "at": at}
    return url_for("pages.posts", **({**values, "from": day, "to": day} if day is not None else values))


@blueprint.app_template_global()
def dashboard_url(asked: query.Asked, given: Mapping[str, str]) -> str:
    """The address of the dashboard with the question of a list of posts; in the state that it was asked of, if that is
    not the present one.
    """
    state = serving().view.peek()
    at = None if state is not None and asked.at == state.token else asked.at
    kept = {name: value for name, value in given.items() if name in ("source", "lang", "kind", "reposts", "as_of")}
    values: dict[str, Any] = {"from": asked.first, "to": asked.last, **kept, "at": at}
    brand = asked.narrowed.brand if asked.narrowed.brand != ANY else None
    return url_for("pages.dashboard", **values, category=asked.narrowed.category, brand=brand)


@blueprint.app_template_global()
def here(given: Mapping[str, str], **changes: Any) -> str:
    """The address of the dashboard with the present question, changed; None leaves a parameter out."""
    return url_for("pages.dashboard", **{**given, **changes})


@blueprint.app_template_global()
def bundled(given: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of the bundle of what the dashboard shows now: the same days, in the same state."""
    kept = {name: value for name, value in given.items() if name in query.BUNDLE and name != "as_of"}
    return {**kept, "from": shown["from"], "to": shown["to"], "at": shown["at"]}


@blueprint.app_template_global()
def page_url(given: Mapping[str, str], **changes: Any) -> str:
    """The address of another page of the present list of posts."""
    return url_for("pages.posts", **{**given, **changes})


@blueprint.app_template_filter()
def clock(when: str | None) -> str:
    """The time of day of an RFC 3339 instant; a dash where there is none."""
    return when[11:19] if when is not None else "–"


@blueprint.app_template_filter()
def moment(when: str | None) -> str:
    """An RFC 3339 instant as people read it, to the second."""
    return f"{when[:10]} {when[11:19]} UTC" if when is not None else "–"


@blueprint.app_template_filter()
def marked(record: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """The text of a record of `why`, cut at its mentions: (part, the rule that counts it, or None)."""
    text, at, parts = record["text"], 0, []
    for mention in record["mentions"]:
        if mention["start"] >= at:  # two mentions may share their place
            parts += [(text[at : mention["start"]], None), (text[mention["start"] : mention["end"]], mention["rule"])]
            at = mention["end"]
    return [*parts, (text[at:], None)]


@blueprint.app_template_filter()
def spoken(record: Mapping[str, Any]) -> list[str]:
    """What a record of `why` mentions, and what was held back, in words."""
    return list(words.spoken(record, installed()))


@blueprint.app_template_filter()
def count(n: int | None) -> str:
    """A count as people read it; a dash where it is unknown."""
    return "–" if n is None else f"{n:,}"


@blueprint.app_template_filter()
def percent(part: float | None) -> str:
    """A share as a percentage."""
    return "–" if part is None else f"{percentage(part):.1f}%"


@blueprint.app_template_filter()
def spread(interval: tuple[float, float]) -> str:
    """An interval of a share as percentages."""
    return f"{percentage(interval[0]):.1f}–{percentage(interval[1]):.1f}%"


@blueprint.app_template_filter()
def points(change: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{change * 100:+.1f}"


def _given(asked: query.Asked) -> dict[str, str | None]:
    narrowed = asked.narrowed
    kind = next(iter(narrowed.kinds)) if len(narrowed.kinds) == 1 else None
    return {
        "from": str(asked.first),
        "to": str(asked.last),
        "source": narrowed.source,
        "lang": narrowed.lang,
        "kind": kind,
        "reposts": "include" if len(narrowed.kinds) == len(KINDS) else None,
    }
