"""X's wire shapes, v1.1 and v2, as `docs/wire-shapes.md` lists them: bytes in, one reading out.

The fast path decodes only the fields that are read, typed, with msgspec. A line that it refuses (a lone surrogate, a
field of another type, no JSON at all) is read again with the standard library, which also says what is wrong with it.
"""

import re
from typing import Any, Final

import msgspec

from drinkstream import wire_json, wire_x_control
from drinkstream.record import Post, PostKind, Reading, Rejected, rejected
from drinkstream.wire_values import event_time, language, plain, post_id
from drinkstream.wire_x_fields import Entities, Included, Includes, Line, Reposted, Tweet

_LINE = msgspec.json.Decoder(Line)

_CUT_WORD: Final = re.compile(r"(?<!\w)\w{1,5}(?=…\s*(?:https://t\.co/\w*\s*)?$)")
"""A short word at the cut of a truncated text: `tea…` may have been `team`, as in a repost (drinkstream.judge)."""


def read(value: bytes, source: str) -> Reading:
    """What `value`, one line or one member of a page, is. Its time is not judged here; a page is not split here."""
    if value.startswith(wire_json.BOM):
        value = value[3:]
    if fault := wire_json.undecodable(value):
        return rejected(fault)
    try:
        line = _LINE.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return _read_patiently(value, source)  # reads it all the same, or says why nobody can
    return _post_or_page(line, source) or _read_patiently(value, source)


def _read_patiently(value: bytes, source: str) -> Reading:
    """As `read`, by the standard library's decoder; here end all lines that are no posts, and all that are odd."""
    found = wire_json.load(value)
    if isinstance(found, str):
        return rejected(found)
    if not isinstance(found, dict):
        return rejected("shape")
    if isinstance(found.get("data"), list):
        return wire_x_control.page(bool(found["data"]), source)
    try:
        line = msgspec.convert(found, Line)
    except msgspec.ValidationError:
        return rejected("shape")
    return _post_or_page(line, source) or wire_x_control.read(found, source)


def _post_or_page(line: Line, source: str) -> Reading | None:
    """The post, or the whole page, that `line` holds; None if it holds neither. Where there is `data`, it decides."""
    if isinstance(line.data, list):
        return wire_x_control.page(bool(line.data), source)
    if line.data is not None:
        return None if line.data.text is None else _v2(line.data, line.includes, source, "post.x.v2")
    if line.text is None and line.full_text is None:
        return None
    return _v2(line, None, source, "post.x.v2.flat") if _is_flat(line) else _v1(line, source)


def _is_flat(line: Line) -> bool:
    """Whether a post lies at the top of the line as in v2, where v1.1 would have `id_str` or a number."""
    return line.id_str is None and isinstance(line.id, str) and line.retweeted_status is None


def _v2(tweet: Tweet, includes: Includes | None, source: str, shape: str) -> Reading:
    version = post_id(tweet.id)
    history = tweet.edit_history_tweet_ids
    # most posts were never edited, and ids are strings there
    unedited = not history or (type(history[0]) is str and history[0] == tweet.id)
    first = version if history is None or unedited else post_id(history[0])
    if version is None or first is None:
        return rejected("id")
    others = () if history is None or (unedited and len(history) < 2) else _others(first, *history, version)
    kind: PostKind = "original"
    carrier: Tweet | Included = tweet
    if tweet.referenced_tweets:
        references = {reference.type: reference for reference in tweet.referenced_tweets}
        if (again := references.get("retweeted")) is not None:
            kind = "repost"
            candidates = [*((includes.tweets or ()) if includes else ()), again]
            carrier = next((c for c in candidates if c.id == again.id and c.text is not None), tweet)
        elif "quoted" in references:
            kind = "quote"
        elif "replied_to" in references:
            kind = "reply"
    text, entities = carrier.text, carrier.entities
    if carrier.note_tweet is not None and carrier.note_tweet.text is not None:
        text, entities = carrier.note_tweet.text, carrier.note_tweet.entities or entities
    place = tweet.geo.place_id if tweet.geo else None
    return _post(shape, source, first, version, others, tweet.created_at, tweet.lang, kind, text, entities, place)


def _v1(line: Line, source: str) -> Reading:
    version = post_id(line.id if line.id_str is None else line.id_str)
    first, history = version, line.edit_history
    if history is not None and history.initial_tweet_id is not None:
        first = post_id(history.initial_tweet_id)
    if version is None or first is None:
        return rejected("id")
    others = () if history is None else _others(first, *(history.edit_tweet_ids or ()), version)
    kind: PostKind = "original"
    carrier: Line | Reposted = line
    if (again := line.retweeted_status) is not None:
        kind = "repost"
        if again.text is not None or again.full_text is not None:
            carrier = again
    elif line.quoted_status is not None or line.quoted_status_id is not None or line.is_quote_status is True:
        kind = "quote"
    elif line.in_reply_to_status_id is not None:
        kind = "reply"
    text, entities = carrier.text if carrier.full_text is None else carrier.full_text, carrier.entities
    if carrier.extended_tweet is not None and carrier.extended_tweet.full_text is not None:
        text, entities = carrier.extended_tweet.full_text, carrier.extended_tweet.entities or entities
    elif text is not None and carrier.truncated is True:
        text = _CUT_WORD.sub("", text)
    place = line.place.id if line.place else None
    return _post("post.x.v1", source, first, version, others, line.created_at, line.lang, kind, text, entities, place)


def _others(first: str, *named: Any) -> tuple[str, ...]:
    ids = dict.fromkeys(map(post_id, named))
    return tuple(one for one in ids if one is not None and one != first)


def _post(
    shape: str,
    source: str,
    first: str,
    version: str,
    others: tuple[str, ...],
    created_at: Any,
    lang: Any,
    kind: PostKind,
    text: str | None,
    entities: Entities | None,
    place: str | None,
) -> Reading:
    event_ms = event_time(first, created_at)
    if event_ms is None:
        return Reading(Rejected("time"), "rejected.time", first)
    hashtags: tuple[str, ...] = ()
    if entities is not None and entities.hashtags:
        written = (h.tag if h.text is None else h.text for h in entities.hashtags)
        hashtags = tuple(name for name in written if name)
    post = Post(
        source,
        first,
        version,
        event_ms,
        language(lang) if isinstance(lang, str) else "und",
        kind,
        plain(text or ""),
        hashtags,
        place,
        first != version,
        others,
    )
    return Reading(post, shape, first, event_ms)
