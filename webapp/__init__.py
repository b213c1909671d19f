"""The dashboard and its HTTP API, over the merged view of both layers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.lookup import Records
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.taxonomy_kept import installed
from webapp import api, health, pages
from webapp.encoding import Json
from webapp.headers import harden
from webapp.live import Store
from webapp.pending import Count, Pending
from webapp.repeating import Repeating
from webapp.serving import Serving
from webapp.texts import Patiently
from webapp.view import View
from webapp.vocabulary import Names

ROUTES = "share, trend, posts, bundle, why, days, status, reconciliation/<day>, difference/<day>, rejections"


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def create_app(
    settings: Settings | None = None,
    open_store: Callable[[], Store] | None = None,
    clock: Callable[[], datetime] = utc_now,
    count_pending: Count | None = None,
    records: Records | None = None,
) -> Flask:
    """The WSGI application. It connects to the store with the first request, never before, so it may be forked.

    `open_store` opens what is read from (by default Cassandra, as the role that only reads), `count_pending` counts
    what came since the runs, `records` has the texts (both by default the archive).
    """
    settings = settings or Settings.load()
    names = Names.load()
    # with their version and texts, the rules that explain and go into bundles as long as the process lives: the files
    # may be edited meanwhile
    meaning.version()
    installed()
    app = Flask(__name__)
    app.json = Json(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    store = open_store or (lambda: Reader(connect(settings, settings.reader_login())))
    view = View(store, settings.live_refresh, clock, timedelta(days=settings.speed_ttl_days))
    archive = Archive(settings.archive)
    pending = Pending(view, count_pending or partial(archive.pending, settings.posts_topic))
    texts = records or Patiently(archive)
    here = Serving(view, pending, names, clock, settings.home / "web", texts, settings.posts_topic)
    here.init_app(app)
    for blueprint in (api.blueprint, health.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _error)
    app.after_request(harden)
    app.wsgi_app = Repeating(app.wsgi_app, here)  # type: ignore[method-assign]
    return app


def _error(error: HTTPException) -> tuple[Response | str, int]:
    code = error.code or 500
    if request.path.startswith("/api/"):
        return jsonify(error=f"no such route; /api/v1/ has {ROUTES}" if code == 404 else f"{error.description}"), code
    return render_template("error.html", title=error.name, message=error.description), code
