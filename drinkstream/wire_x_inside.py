"""Whose a line of X is, and which other posts' texts lie inside it: asked by compliance, never by a count."""

from collections.abc import Iterator
from typing import Any

from drinkstream import wire_json
from drinkstream.wire_values import post_id


def author(value: bytes) -> str | None:
    """The id of the user who wrote the post on a line; None where the line does not say."""
    line = _line(value)
    post = line["data"] if isinstance(line.get("data"), dict) else line
    if (written := post_id(post.get("author_id"))) is not None:
        return written
    user = post.get("user")
    return (post_id(user.get("id_str")) or post_id(user.get("id"))) if isinstance(user, dict) else None


def inside(value: bytes) -> frozenset[str]:
    """The ids of the posts whose text a line carries besides its own: reposted, quoted, included."""
    line = _line(value)
    post = line["data"] if isinstance(line.get("data"), dict) else line
    return frozenset(_posts(line)) - {_id(post)}


def _line(value: bytes) -> dict[str, Any]:
    found = {} if wire_json.undecodable(value) else wire_json.load(value)
    return found if isinstance(found, dict) else {}


def _posts(found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for one in found:
            yield from _posts(one)
    elif isinstance(found, dict):
        if any(isinstance(found.get(name), str) for name in ("text", "full_text")) and (known := _id(found)):
            yield known
        for one in found.values():
            yield from _posts(one)


def _id(post: dict[str, Any]) -> str | None:
    return post_id(post.get("id_str")) or post_id(post.get("id"))
