"""The truth that both layers are held against, worked out the slow and obvious way from the records themselves.

Nothing here comes from the program: this file imports nothing of it, and was written from the design, not from the
code. It is for tests of at most some hundred thousand records. It knows the wire shapes of X (v1.1 and v2) as far as
they are well typed: a record whose known fields hold another type than documented is out of its reach.

    records = [Record(b'{"data":...}', "x", append_ms, partition, offset), ...]  # after the split of pages
    label = {"flat white please": {("coffee", None)}}.get  # text -> mentions, given by the test
    speed(records, label)[("2017-09-14", "00:47", "x", "coffee", "", "original", "en")] == {"908130000000000000"}
"""

import html
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

Mentions = set[tuple[str | None, str | None]]  # (category or none, brand or none)
Label = Callable[[str], Mentions | None]
Cell = tuple[str, str, str, str, str, str, str]  # day, minute HH:MM, source, category, brand, kind, lang
Cells = dict[Cell, set[str]]

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


# ---------------------------------------------------------------------------------------------- the three truths


def classes(records: Iterable[Record]) -> Counter[str]:
    """How many records are posts, tombstones, notices and rejected.<reason>."""
    return Counter(read(record).what for record in records)


def speed(records: Iterable[Record], label: Label) -> Cells:
    """The cells as the speed layer must show them: every version and duplicate counts wherever it falls."""
    cells: Cells = defaultdict(set)
    for record in records:
        post = read(record)
        if post.what == "post":
            add(cells, record.source, post, label)
    return dict(cells)


def batch(records: Iterable[Record], label: Label) -> Cells:
    """The cells as a published day must show them: one version of each post, and no post that was deleted."""
    versions = defaultdict(list)
    deleted = set()
    for record in records:
        found = read(record)
        if found.what == "post":
            place = (record.append_ms, record.partition, record.offset)
            versions[day(found.ms), record.source, found.id].append((place, found))
        elif found.what == "tombstone" and found.deletes:
            deleted.add((record.source, found.id))
    cells: Cells = defaultdict(set)
    for (_, source, post_id), delivered in versions.items():
        if (source, post_id) not in deleted:
            add(cells, source, chosen(delivered), label)
    return dict(cells)


def chosen(delivered: list[tuple[tuple[int, int, int], Read]]) -> Read:
    """The version that counts: the last one that is an edit, or without any the first one."""
    in_order = sorted(delivered, key=lambda one: one[0])
    edits = [post for _, post in in_order if post.version != post.id]
    return edits[-1] if edits else in_order[0][1]


def add(cells: Cells, source: str, post: Read, label: Label) -> None:
    """Put a post's id into each cell that it falls in."""
    for category, brand in levels(label(post.text) or set()):
        cells[day(post.ms), minute(post.ms), source, category, brand, post.kind, post.lang].add(post.id)


def levels(mentions: Mentions) -> set[tuple[str, str]]:
    """The (category, brand) pairs that a post with these mentions counts under."""
    found = set()
    for category, brand in mentions:
        if category:
            found |= {("*", ""), (category, "")}
        if brand:
            found |= {("*", "*"), ("*", brand)}
        if category and brand:
            found.add((category, brand))
    return found


def day(ms: int) -> str:
    """2017-09-14, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).date().isoformat()


def minute(ms: int) -> str:
    """00:47, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%H:%M")


# ---------------------------------------------------------------------------------------------------- the shares


def count(cells: Cells, category: str, brand: str, kinds: Iterable[str] = ("original", "reply", "quote")) -> int:
    """Posts counted at one level, over all cells given; reposts only where `kinds` names them."""
    wanted = set(kinds)
    return sum(len(ids) for cell, ids in cells.items() if cell[3:5] == (category, brand) and cell[5] in wanted)


def only(cells: Cells, **want: str) -> Cells:
    """The cells of one day, minute, source or lang: `only(cells, day="2017-09-14", source="x")`."""
    place = {"day": 0, "minute": 1, "source": 2, "lang": 6}
    return {cell: ids for cell, ids in cells.items() if all(cell[place[name]] == value for name, value in want.items())}


def share(
    cells: Cells,
    by: str,
    category: str | None = None,
    brand: str | None = None,
    kinds: Iterable[str] = ("original", "reply", "quote"),
) -> tuple[int, dict[str, tuple[int, float, float]]]:
    """(denominator, {category or brand: (n, share, mix)}) with every n above 0.

    By category the denominator is all posts with a drink (or with the brand asked for), by brand all posts with a brand
    (or with the drink asked for). The filter on what `by` names selects rows only when all is computed.
    """
    kinds = tuple(kinds)
    if by == "category":
        whole = count(cells, "*", brand or "", kinds)
        names = {cell[3] for cell in cells} - {"*"}
        numbers = {name: count(cells, name, brand or "", kinds) for name in names}
        asked = category
    else:
        whole = count(cells, category, "", kinds) if category else count(cells, "*", "*", kinds)
        names = {cell[4] for cell in cells} - {"", "*"}
        numbers = {name: count(cells, category or "*", name, kinds) for name in names}
        asked = brand
    together = sum(numbers.values())
    rows = {name: (n, n / whole, n / together) for name, n in numbers.items() if n}
    return whole, {name: row for name, row in rows.items() if asked is None or name == asked}


# ------------------------------------------------------------------------------------------------ what a record is


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


def post(version: object, first: object, created_at: object, kind: str, lang: object, text: str) -> Read:
    """The post with these fields, or why it is none."""
    if not number(version) or not number(first):
        return Read("rejected.id")
    ms = time_of(number(first), created_at)
    if not ms:
        return Read("rejected.time")
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Read("post", str(first), str(version), ms, kind, language(lang), html.unescape(whole))


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
    first = (tweet.get("edit_history_tweet_ids") or [tweet.get("id")])[0]
    return post(tweet.get("id"), first, tweet.get("created_at"), kind, tweet.get("lang"), text)


def v1_post(status: dict) -> Read:
    """A post as v1.1 writes it."""
    version = status["id_str"] if status.get("id_str") is not None else status.get("id")
    first = (status.get("edit_history") or {}).get("initial_tweet_id") or version
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
    return post(version, first, status.get("created_at"), kind, status.get("lang"), text)


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
