"""What the routes need of the application: the view, the names, the clock; and how a question meets them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import cast

from flask import Flask, current_app
from werkzeug.datastructures import MultiDict

from drinkstream.lookup import Records
from webapp import query
from webapp.basis import Basis, basis
from webapp.pending import Pending
from webapp.published import Published
from webapp.texts import look_up
from webapp.view import State, View
from webapp.vocabulary import Names

_NAME = "drinkstream"


@dataclass(frozen=True, slots=True)
class Serving:
    """One for each application. `assets` is the folder with the downloaded chart library, `topic` that of the posts."""

    view: View
    pending: Pending
    names: Names
    clock: Callable[[], datetime]
    assets: Path
    archive: Records
    topic: str
    published: Published = field(default_factory=Published)

    def init_app(self, app: Flask) -> None:
        """Hand it to the routes, and start their threads with the first request: that comes after any fork."""
        app.extensions[_NAME] = self
        app.before_request(self.view.start)
        app.before_request(self.pending.start)


def serving(app: Flask | None = None) -> Serving:
    """That of this application, by default the one whose request this is."""
    return cast(Serving, (app or current_app).extensions[_NAME])


def answered(to: Serving, allowed: frozenset[str], given: MultiDict[str, str]) -> tuple[query.Asked, Basis]:
    """The question in these parameters, and what it is answered from: one state, taken once."""
    return answered_at(to, to.view.state(), to.clock(), allowed, given)


def answered_at(
    to: Serving, state: State, now: datetime, allowed: frozenset[str], given: MultiDict[str, str]
) -> tuple[query.Asked, Basis]:
    """The same of a state and an instant that were taken before."""
    asked = query.parse(given, allowed, to.names.known(to.view.keys), state.days, now)
    return asked, basis(to.view, asked, state, now, partial(look_up, to.archive))
