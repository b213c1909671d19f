"""X's lines that are no posts: orders about posts (tombstones) and everything else that its streams say (notices)."""

from typing import Any

from drinkstream.record import Action, Reading, Tombstone, notice, rejected
from drinkstream.wire_values import FIRST_TIMED_ID, event_time, instant, post_id

ACTIONS: tuple[Action, ...] = ("delete", "withheld", "scrub_geo")
USERS_HAVE_LATER_TIMES_MS = 1_288_915_200_000  # 2010-11-05: a smaller id with a later time is no post's, but a user's

# top-level key -> kind of notice; v1.1, its user and compliance streams, and v2's errors
_NOTICES = {
    "limit": "limit",
    "disconnect": "disconnect",
    "warning": "warning",
    "info": "info",
    "event": "event",
    "friends": "friends",
    "friends_str": "friends",
    "control": "control",
    "direct_message": "direct_message",
    "for_user": "user",
    "connected": "connected",
    "error": "error",
    "errors": "error",
}
_ABOUT_OTHERS = ("direct_message", "favorite", "like")  # what else v1.1 says was deleted


def read(line: dict[str, Any], source: str) -> Reading:
    """What a line without a post is. Lines about a user or a page are notices; unknown ones `Rejected("shape")`."""
    data = line.get("data")
    if isinstance(data, dict):
        return _compliance_event(data, source)
    if "meta" in line:
        return page(False, source)
    if "action" in line:
        return _compliance_result(line, source)
    if isinstance(deleted := line.get("delete"), dict):
        if any(isinstance(deleted.get(other), dict) for other in _ABOUT_OTHERS):
            return notice(source, "other_delete")
        return _tombstone(deleted.get("status"), ("id_str", "id"), "delete", source)
    if "scrub_geo" in line:
        return _tombstone(line["scrub_geo"], ("up_to_status_id_str", "up_to_status_id"), "scrub_geo", source)
    if "status_withheld" in line:
        return _tombstone(line["status_withheld"], ("id_str", "id"), "withheld", source)
    if any(isinstance(key, str) and key.startswith("user_") for key in line):
        return notice(source, "user")
    for key, kind in _NOTICES.items():
        if line.get(key) is not None:
            return notice(source, kind)
    if isinstance(line.get("title"), str) and isinstance(line.get("type"), str):
        return notice(source, "error")  # v2's problem document (RFC 9457)
    return rejected("shape")


def page(has_members: bool, source: str) -> Reading:
    """What a whole page is: a notice if it is empty; else nothing that can be counted, since nobody split it."""
    return rejected("shape") if has_members else notice(source, "page")


def _compliance_event(data: dict[str, Any], source: str) -> Reading:
    """A line of v2's compliance streams: `data` has one key, which says what happened."""
    for action in ACTIONS:
        event = data.get(action)
        if not isinstance(event, dict):
            continue
        if isinstance(event.get("tweet"), dict):
            countries = event.get("withheld_in_countries")
            return _tombstone({"withheld_in_countries": countries, **event["tweet"]}, ("id",), action, source)
        if action == "scrub_geo" and "up_to_tweet_id" in event:
            return _tombstone(event, ("up_to_tweet_id",), action, source)
        if isinstance(event.get("user"), dict):
            return notice(source, "user")
    for kind in ("tweet_edit", "drop", "undrop"):
        if isinstance(data.get(kind), dict):
            return notice(source, kind)
    if any(key.startswith("user_") and isinstance(event, dict) for key, event in data.items()):
        return notice(source, "user")
    return rejected("shape")


def _compliance_result(line: dict[str, Any], source: str) -> Reading:
    """A line of a batch compliance job's result: `{"id", "action", "created_at", "reason"}`, of a post or of a user."""
    identity = post_id(line.get("id"))
    if identity is not None and int(identity) < FIRST_TIMED_ID and isinstance(line.get("created_at"), str):
        made = instant(line["created_at"])
        if made is not None and made >= USERS_HAVE_LATER_TIMES_MS:
            return notice(source, "user")
    wanted = "scrub_geo" if line.get("reason") == "scrub_geo" else line["action"]
    action = next((known for known in ACTIONS if known == wanted), None)
    return _tombstone(line, ("id",), action, source) if action else rejected("shape")


def _tombstone(target: Any, keys: tuple[str, ...], action: Action, source: str) -> Reading:
    """The order `action` about the post that the first of `keys` found in `target` names."""
    if not isinstance(target, dict):
        return rejected("shape")
    written = next((target[key] for key in keys if target.get(key) is not None), None)
    if written is None:
        return rejected("shape")
    identity = post_id(written)
    if identity is None:
        return rejected("id")
    listed = target.get("withheld_in_countries")
    countries = tuple(c.upper() for c in listed if isinstance(c, str)) if isinstance(listed, list) else ()
    event_ms = event_time(identity, target.get("created_at"))
    return Reading(Tombstone(source, identity, action, countries), "tombstone." + action, identity, event_ms)
