"""The oracle's own reading of a record: well-typed wire shapes of X, v1.1 and v2, with nothing but `json`.

Part of `tests/lib/oracle.py`, which says what it is for; like it, it imports nothing of the program.
"""

import html
import json
from dataclasses import dataclass
from datetime import datetime

DEEPEST = 200
HOUR = 3_600_000
TWITTER_STARTS = 1_136_073_600_000  # 2006-01-01T00:00:00Z
SNOWFLAKE_STARTS = 1_288_834_974_657
FIRST_SNOWFLAKE = 30_000_000_000
SPELLINGS = {"in": "id", "iw": "he", "tl": "fil", "ji": "yi", "msa": "ms", "jw": "jv", "sh": "sr-Latn", "mo": "ro"}


@dataclass(frozen=True)
class Record:
    """One record of the topic `posts`: what was sent, by which network, and where and when Kafka put it."""

    value: bytes
    source: str
    append_ms: int
    partition: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Read:
    """What a record is. `what` is post, tombstone, notice or rejected.<reason>; the rest is of posts and tombstones."""

    what: str
    id: str = ""
    version: str = ""
    ms: int = 0
    kind: str = ""
    lang: str = ""
    text: str = ""
    deletes: bool = False
    others: frozenset[str] = frozenset()  # what else a post is called: ids of its later versions


def split(line: bytes) -> list[bytes]:
    """The values that a collector must send for a line: for a v2 page one for each member, then one for the rest.

    Members carry no `includes` here but all of the page's: compare what they mean, not their bytes.
    """
    try:
        page = json.loads(line.decode())
    except (ValueError, RecursionError):
        return [line]
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        return [line]
    values = [json.dumps({"data": one, "includes": page.get("includes")}).encode() for one in page["data"]]
    rest = {name: page[name] for name in ("errors", "meta") if page.get(name) is not None}
    if rest:
        values.append(json.dumps(rest).encode())
    return values or [line]


def read(record: Record) -> Read:
    """What one record is."""
    if record.source not in ("x", "demo"):
        return Read("rejected.shape")
    if not record.value.strip():
        return Read("notice")
    fault, line = decode(record.value)
    if fault:
        return Read("rejected." + fault)
    if not isinstance(line, dict):
        return Read("rejected.shape")
    data = line.get("data")
    if isinstance(data, list):
        return Read("rejected.shape" if data else "notice")
    if isinstance(data, dict):
        found = v2_post(data, line.get("includes") or {}) if data.get("text") is not None else v2_event(data)
    elif line.get("text") is not None or line.get("full_text") is not None:
        flat = isinstance(line.get("id"), str) and not line.get("id_str") and not line.get("retweeted_status")
        found = v2_post(line, {}) if flat else v1_post(line)
    else:
        found = v1_event(line)
    too_early_or_late = found.ms and not TWITTER_STARTS <= found.ms <= record.append_ms + HOUR
    return Read("rejected.time") if too_early_or_late else found


def decode(value: bytes) -> tuple[str, object]:
    """(why not, None) or ("", the JSON value)."""
    value = value.removeprefix(b"\xef\xbb\xbf")
    try:
        text = value.decode().strip(" \t\r\n")
    except UnicodeDecodeError as error:
        half_a_letter = error.reason == "unexpected end of data"
        return ("cut_off" if half_a_letter and decode(value[: error.start])[0] == "cut_off" else "encoding"), None
    if text.count("{") + text.count("[") > DEEPEST and depth(text) > DEEPEST:
        return "too_deep", None
    try:
        return "", json.loads(text, parse_constant=refuse, parse_int=lambda n: int(n) if len(n) < 100 else n)
    except json.JSONDecodeError as error:
        if "\0" in text[:4]:
            return "encoding", None
        return ("cut_off" if is_beginning(text, error.pos) else "not_json"), None
    except ZeroDivisionError:
        return "not_json", None


def refuse(constant: str) -> None:
    """NaN and Infinity are Python's, not JSON."""
    raise ZeroDivisionError(constant)


def depth(text: str) -> int:
    """How deep the braces and brackets outside strings are nested."""
    deepest = now = 0
    inside = escaped = False
    for letter in text:
        if escaped:
            escaped = False
        elif inside:
            escaped = letter == "\\"
            inside = letter != '"'
        elif letter == '"':
            inside = True
        elif letter in "[{":
            now += 1
            deepest = max(deepest, now)
        elif letter in "]}":
            now -= 1
    return deepest


def is_beginning(text: str, stopped: int) -> bool:
    """Whether a text that is no JSON, where the decoder stopped, would be if only it went on."""
    endings = [
        '"',
        '"}',
        "0",
        "e0",
        "rue",
        "ue",
        "alse",
        "lse",
        "se",
        "ull",
        "ll",
        "l",
        "e",
        "\\",
        '0000"',
        '000"',
        '00"',
        '0"',
    ]
    if stopped >= len(text):
        return True
    for ending in ["", *endings]:
        try:
            json.loads(text + ending)
        except json.JSONDecodeError as error:
            if error.pos >= len(text + ending) or (error.pos <= stopped and error.msg.startswith("Unterminated")):
                return True
        else:
            return True
    return False


def number(raw: object) -> int:
    """An id of X as a number; 0 for what is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | str) or not str(raw).isascii() or not str(raw).isdigit():
        return 0
    text = str(raw)
    return int(text) if len(text) <= 19 and text[0] != "0" and int(text) < 2**63 else 0


def time_of(post_id: int, created_at: object) -> int:
    """Event time in ms since 1970: from the id if it tells, else from `created_at`; 0 where nothing tells."""
    if post_id >= FIRST_SNOWFLAKE:
        return (post_id >> 22) + SNOWFLAKE_STARTS
    for form in ("%a %b %d %H:%M:%S %z %Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"):
        try:
            moment = datetime.strptime(str(created_at), form)  # noqa: DTZ007  every form has its zone
        except ValueError:
            continue
        return round(moment.timestamp() * 1000)
    return 0


def language(tag: object) -> str:
    """The tag in BCP 47's one spelling, as far as X uses tags; und for none, and for X's marks for "no language"."""
    if not isinstance(tag, str) or not tag or tag in ("und", "zxx", "art", "mul", "mis"):
        return "und"
    if len(tag) == 3 and tag[0] == "q" and tag[1] <= "t":
        return "und"
    first, *others = tag.replace("_", "-").split("-")
    first = SPELLINGS.get(first.lower(), first.lower())
    return "-".join([first, *(o.upper() if len(o) == 2 else o.title() for o in others)])


def post(
    version: object, first: object, created_at: object, kind: str, lang: object, text: str, history: list[object]
) -> Read:
    """The post with these fields, or why it is none."""
    if not number(version) or not number(first):
        return Read("rejected.id")
    ms = time_of(number(first), created_at)
    if not ms:
        return Read("rejected.time")
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    others = frozenset(str(one) for one in [version, *history] if number(one)) - {str(first)}
    return Read(
        "post", str(first), str(version), ms, kind, language(lang), html.unescape(whole), others=frozenset(others)
    )


def v2_post(tweet: dict, includes: dict) -> Read:
    """A post as v2 writes it: a member of a page, the data of a stream's line, or flat."""
    references = {r["type"]: r for r in tweet.get("referenced_tweets") or []}
    kind = "original"
    for type_, name in (("replied_to", "reply"), ("quoted", "quote"), ("retweeted", "repost")):
        if type_ in references:
            kind = name
    speaks = tweet
    if kind == "repost":
        again = references["retweeted"]
        for one in [again, *reversed(includes.get("tweets") or [])]:
            if one.get("id") == again["id"] and one.get("text") is not None:
                speaks = one
    note = speaks.get("note_tweet") or {}
    text = note["text"] if note.get("text") is not None else speaks["text"]
    history = tweet.get("edit_history_tweet_ids") or [tweet.get("id")]
    return post(tweet.get("id"), history[0], tweet.get("created_at"), kind, tweet.get("lang"), text, history)


def v1_post(status: dict) -> Read:
    """A post as v1.1 writes it."""
    version = status["id_str"] if status.get("id_str") is not None else status.get("id")
    edits = status.get("edit_history") or {}
    first, history = edits.get("initial_tweet_id") or version, edits.get("edit_tweet_ids") or []
    kind = "original"
    if status.get("in_reply_to_status_id") is not None:
        kind = "reply"
    if status.get("is_quote_status") or status.get("quoted_status") or status.get("quoted_status_id"):
        kind = "quote"
    speaks = status
    if status.get("retweeted_status") is not None:
        kind = "repost"
        speaks = status["retweeted_status"]
    long = (speaks.get("extended_tweet") or {}).get("full_text")
    text = next(t for t in (long, speaks.get("full_text"), speaks.get("text"), status.get("text")) if t is not None)
    return post(version, first, status.get("created_at"), kind, status.get("lang"), text, history)


def v2_event(data: dict) -> Read:
    """An event of v2's compliance streams."""
    for action, event in data.items():
        if action in ("delete", "withheld", "scrub_geo") and "tweet" in event:
            return tombstone(event["tweet"].get("id"), action, event.get("withheld_in_countries"), None)
        if action == "scrub_geo" and "up_to_tweet_id" in event:
            return tombstone(event["up_to_tweet_id"], action, None, None)
        if action.startswith("user_") or action in ("scrub_geo", "delete", "withheld", "tweet_edit", "drop", "undrop"):
            return Read("notice")
    return Read("rejected.shape")


def v1_event(line: dict) -> Read:
    """What v1.1's streams say beside posts, errors and empty pages of v2, and results of compliance jobs."""
    if "meta" in line:
        return Read("notice")
    if "action" in line:
        early = 0 < number(line.get("id")) < FIRST_SNOWFLAKE
        if early and time_of(number(line["id"]), line.get("created_at")) >= 1_288_915_200_000:
            return Read("notice")  # such an id with a time after 2010-11-04 is a user's
        action = "scrub_geo" if line.get("reason") == "scrub_geo" else line["action"]
        if action not in ("delete", "withheld", "scrub_geo"):
            return Read("rejected.shape")
        return tombstone(line.get("id"), action, line.get("withheld_in_countries"), line.get("created_at"))
    if "delete" in line:
        status = line["delete"].get("status")
        if status is None:
            return Read("notice")
        return tombstone(status.get("id_str") or status.get("id"), "delete", None, None)
    if "status_withheld" in line:
        told = line["status_withheld"]
        return tombstone(told.get("id_str") or told.get("id"), "withheld", told.get("withheld_in_countries"), None)
    if "scrub_geo" in line:
        told = line["scrub_geo"]
        return tombstone(told.get("up_to_status_id_str") or told.get("up_to_status_id"), "scrub_geo", None, None)
    notices = {
        "limit",
        "disconnect",
        "warning",
        "info",
        "event",
        "friends",
        "friends_str",
        "control",
        "error",
        "errors",
    }
    notices |= {"direct_message", "for_user", "connected"}
    if notices & set(line) or any(name.startswith("user_") for name in line) or {"title", "type"} <= set(line):
        return Read("notice")
    return Read("rejected.shape")


def tombstone(target: object, action: str, countries: list[str] | None, created_at: object) -> Read:
    """The order about one post; it takes the post out of the numbers if it is a delete, or withheld everywhere."""
    if target is None:
        return Read("rejected.shape")
    if not number(target):
        return Read("rejected.id")
    everywhere = action == "withheld" and any(c.upper() in ("XX", "XY") for c in countries or [])
    ms = time_of(number(target), created_at)
    return Read("tombstone", id=str(target), ms=ms, deletes=action == "delete" or everywhere)
