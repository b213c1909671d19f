"""Single values on the wire: ids and times of X, and what all networks write alike (instants, language tags, text)."""

import html
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from langcodes import standardize_tag
from langcodes.tag_parser import LanguageTagError

FIRST_TIMED_ID = 30_000_000_000  # ids below it were plain counters and carry no time
ID_EPOCH_MS = 1_288_834_974_657
MAX_ID = 2**63 - 1

_LONG_REFERENCE = re.compile(r"&#[0-9]{4000,};?")  # html.unescape raises on what int() refuses
_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_NO_LANGUAGE = re.compile(r"und|zxx|mis|mul|art|q[a-t][a-z]")  # X's qme, qst, qht ... say what a post is made of
_V1_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) ([+-]\d{4}) (\d{4})", re.ASCII)
_MONTHS = {m: i for i, m in enumerate(re.findall("...", "JanFebMarAprMayJunJulAugSepOctNovDec"), 1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def post_id(raw: Any) -> str | None:
    """The id of a post as X writes it (decimal, no sign, no leading zero, below 2**63); None if `raw` is none."""
    if type(raw) is int:
        return str(raw) if 0 < raw <= MAX_ID else None
    if type(raw) is not str or len(raw) > 19 or not raw.isascii() or not raw.isdigit() or raw[0] == "0":
        return None
    return raw if len(raw) < 19 or int(raw) <= MAX_ID else None


def event_time(first: str, created_at: Any) -> int | None:
    """Milliseconds since 1970 UTC: from the id where it carries a time, else from `created_at`; None if both fail."""
    number = int(first)
    if number >= FIRST_TIMED_ID:
        return (number >> 22) + ID_EPOCH_MS
    return instant(created_at) if isinstance(created_at, str) else None


def instant(written: str) -> int | None:
    """Milliseconds since 1970 UTC of a time as v1.1 (`Thu Sep 14 00:00:00 +0000 2017`) or v2 (RFC 3339) writes it."""
    try:
        if match := _V1_TIME.fullmatch(written):
            month, day, hour, minute, second, zone, year = match.groups()
            written = f"{year}-{_MONTHS.get(month, 0):02}-{day}T{hour}:{minute}:{second}{zone}"
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def language(tag: str) -> str:
    """BCP 47 in its one spelling (`in` is `id`, `zh-tw` is `zh-TW`); "und" for what names no language."""
    if len(tag) > 35 or not _TAG.fullmatch(tag) or _NO_LANGUAGE.fullmatch(re.split("[-_]", tag)[0].lower()):
        return "und"
    try:
        return str(standardize_tag(tag))
    except LanguageTagError:
        return "und"


def plain(text: str) -> str:
    """`text` with its HTML entities resolved, once."""
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text)) if "&" in text else text
