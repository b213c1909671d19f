"""Is the process alive, and are its numbers fresh: for supervisors and load balancers."""

from flask import Blueprint, Response, jsonify

from drinkstream.merge import instant
from webapp.serving import serving

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@blueprint.get("/api/v1/healthz", endpoint="healthz_v1")
def healthz() -> Response:
    """200 as long as the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@blueprint.get("/api/v1/readyz", endpoint="readyz_v1")
def readyz() -> tuple[Response, int]:
    """200 while the numbers are read from the store, 503 with the reason while they are not."""
    here = serving()
    state = here.view.peek()
    if state is None:
        return jsonify(status="starting", stale_since=None, reason=here.view.why), 503
    stale = state.stale_since(here.clock())
    if stale is not None:
        reason = state.failing or "a look at the store takes long"
        return jsonify(status="stale", stale_since=instant(stale), reason=reason), 503
    return jsonify(status="ready", stale_since=None, reason=None), 200
