"""A page of X's v2 API (a line whose `data` is a list) split into one value for each member and one for the rest."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from drinkstream import wire_json


class Page(msgspec.Struct, gc=False):
    """What a page holds, as bytes; everything else on its line (`__twarc`, `matching_rules`) is dropped."""

    data: list[msgspec.Raw]
    includes: dict[str, list[msgspec.Raw]] | None = None
    errors: msgspec.Raw = msgspec.Raw(b"null")
    meta: msgspec.Raw = msgspec.Raw(b"null")


_PAGE = msgspec.json.Decoder(Page)


def split(value: bytes) -> list[bytes] | None:
    """The values that the page `value` becomes; None if it is no page.

    First `{"data": member, "includes": {...}}` for each member of `data` in its order, with the member's own bytes and
    the included objects that it refers to, or that the posts it refers to do; then `{"errors": ..., "meta": ...}` if
    the page has either. A page with neither member nor errors nor meta is returned as it is. A byte order mark before
    the page is in none of them.
    """
    content = value.removeprefix(wire_json.BOM)
    try:
        page = _PAGE.decode(content)
        members: list[bytes] = [bytes(member) for member in page.data]
        included = {kind: [bytes(one) for one in many] for kind, many in (page.includes or {}).items()}
        rest = {"errors": bytes(page.errors), "meta": bytes(page.meta)}
    except (msgspec.MsgspecError, RecursionError):
        found = wire_json.load(content, repair=False)
        if not isinstance(found, dict) or not isinstance(found.get("data"), list):
            return None
        members = [_dump(member) for member in found["data"]]
        lists = found["includes"] if isinstance(found.get("includes"), dict) else {}
        included = {k: [_dump(one) for one in many] for k, many in lists.items() if isinstance(many, list)}
        rest = {name: _dump(found.get(name)) for name in ("errors", "meta")}
    known = {kind: _by_id(many, "media_key" if kind == "media" else "id") for kind, many in included.items()}
    values = [_object({"data": member, "includes": _referred(member, known)}) for member in members]
    if told := {name: part for name, part in rest.items() if part != b"null"}:
        values.append(_object(told))
    return values or [value]


def _referred(member: bytes, known: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """The JSON object of those included objects that `member` refers to, by kind."""
    post = wire_json.load(member)
    tweets = _chosen(known.get("tweets"), _strings(post, ("referenced_tweets", "id")))
    posts = [post, *(wire_json.load(tweet) for tweet in tweets)]
    people = [("author_id",), ("in_reply_to_user_id",), ("entities", "mentions", "id")]
    found = {
        "tweets": tweets,
        "users": _chosen(known.get("users"), *(_strings(p, path) for p in posts for path in people)),
        "places": _chosen(known.get("places"), *(_strings(p, ("geo", "place_id")) for p in posts)),
        "media": _chosen(known.get("media"), *(_strings(p, ("attachments", "media_keys")) for p in posts)),
        "polls": _chosen(known.get("polls"), *(_strings(p, ("attachments", "poll_ids")) for p in posts)),
    }
    return _object({kind: b"[" + b",".join(many) + b"]" for kind, many in found.items() if many})


def _chosen(known: Mapping[str, bytes] | None, *wanted: Iterator[str]) -> list[bytes]:
    """The objects of `known` whose ids are `wanted`, each once, in the order in which they are first wanted."""
    if not known:
        return []
    ids = dict.fromkeys(one for some in wanted for one in some)
    return [known[one] for one in ids if one in known]


def _by_id(objects: Sequence[bytes], key: str) -> dict[str, bytes]:
    return {name: one for one in objects for name in _strings(wire_json.load(one), (key,))}


def _strings(found: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Every string at `path` below `found`; lists on the way are walked, whatever else does not fit is passed over."""
    if isinstance(found, list):
        for one in found:
            yield from _strings(one, path)
    elif isinstance(found, dict) and path:
        yield from _strings(found.get(path[0]), path[1:])
    elif isinstance(found, str) and not path:
        yield found


def _object(parts: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), part) for name, part in parts.items()) + b"}"


def _dump(found: Any) -> bytes:
    return json.dumps(found, separators=(",", ":")).encode()
