"""Whose a line of X is, and which other posts' texts lie inside it: asked by compliance, never by a count."""

from collections.abc import Iterator
from typing import Any

from drinkstream import wire_json
from drinkstream.wire_values import post_id


def author(value: bytes) -> str | None:
    """The id of the user who wrote the post on a line; None where the line does not say."""
    post = _post(_line(value))
    if (written := post_id(post.get("author_id"))) is not None:
        return written
    user = post.get("user")
    return (post_id(user.get("id_str")) or post_id(user.get("id"))) if isinstance(user, dict) else None


def inside(value: bytes) -> frozenset[str]:
    """The ids of the posts whose text a line carries besides its own: reposted, quoted, included."""
    line = _line(value)
    return frozenset(_posts(line)) - {_id(_post(line))}


def reposted(value: bytes) -> frozenset[str]:
    """The id of the post that a line reposts, whose text then is the line's own; none where it is no repost."""
    post = _post(_line(value))
    again = post.get("retweeted_status")
    found = [_id(again)] if isinstance(again, dict) else []
    references = post.get("referenced_tweets")
    for one in references if isinstance(references, list) else ():
        if isinstance(one, dict) and one.get("type") == "retweeted":
            found.append(post_id(one.get("id")))
    return frozenset(known for known in found if known is not None)


def versions(value: bytes) -> frozenset[str]:
    """The ids of all versions of the post on a line that the line names, its own one of them; none without a text."""
    post = _post(_line(value))
    if not _has_text(post):
        return frozenset()
    found = [_id(post)]
    if isinstance(v2 := post.get("edit_history_tweet_ids"), list):
        found += map(post_id, v2)
    if isinstance(v1 := post.get("edit_history"), dict):
        found.append(post_id(v1.get("initial_tweet_id")))
        if isinstance(v1.get("edit_tweet_ids"), list):
            found += map(post_id, v1["edit_tweet_ids"])
    return frozenset(known for known in found if known is not None)


def _line(value: bytes) -> dict[str, Any]:
    found = {} if wire_json.undecodable(value) else wire_json.load(value)
    return found if isinstance(found, dict) else {}


def _post(line: dict[str, Any]) -> dict[str, Any]:
    return line["data"] if isinstance(line.get("data"), dict) else line


def _has_text(post: dict[str, Any]) -> bool:
    return any(isinstance(post.get(name), str) for name in ("text", "full_text"))


def _posts(found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for one in found:
            yield from _posts(one)
    elif isinstance(found, dict):
        if _has_text(found) and (known := _id(found)):
            yield known
        for one in found.values():
            yield from _posts(one)


def _id(post: dict[str, Any]) -> str | None:
    return post_id(post.get("id_str")) or post_id(post.get("id"))
