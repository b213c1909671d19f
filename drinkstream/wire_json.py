"""JSON lines: what makes one unreadable, and a patient reader for those that the fast decoder refuses.

Strict JSON (RFC 8259) in UTF-8: NaN is not JSON, the last of several equal keys wins, a leading byte order mark is let
pass. A lone surrogate (`\\ud83d` without its second half, which X has sent) is read as U+FFFD, in keys as in values.
"""

import json
import re
from json import JSONDecodeError
from typing import Any

MAX_DEPTH = 200  # far above any real post (about 12), far below what Python's own stack stands at any caller
MAX_DIGITS = 4000  # a longer integer is kept as its text, since int() refuses it
BOM = b"\xef\xbb\xbf"

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # an open end too, else a cut line costs its length squared
_NOT_BRACKETS = bytes(b for b in range(256) if b not in b"[]{}")
_LITERALS = ("true", "false", "null")
_CUT_NUMBER = re.compile(r"\.|[eE][+-]?")
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_CUT_ESCAPE = re.compile(r"u?[0-9a-fA-F]{0,4}")


def undecodable(value: bytes) -> str | None:
    """Why `value` must not reach a decoder: `encoding`, `cut_off` (inside a letter), `too_deep`; None if it may."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            cut = error.reason == "unexpected end of data" and load(value[: error.start]) == "cut_off"
            return "cut_off" if cut else "encoding"
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        return "too_deep"
    return None


def _depth(value: bytes) -> int:
    """How deep `value` is nested, at most MAX_DEPTH + 1."""
    deepest = depth = 0
    for bracket in _STRING.sub(b"", value).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if depth > MAX_DEPTH:
                    break
        else:
            depth -= 1
    return deepest


def load(value: bytes, *, repair: bool = True) -> Any:
    """The JSON value in `value`, which must be UTF-8; where there is none, the reason, a str.

    Without `repair`, lone surrogates come out as they are, so that they can be written again.
    A JSON string at the top, which no network sends, comes back as the reason `shape`.
    """
    text = value.decode().strip(" \t\r\n")
    if repair and "\\" in text:
        text = _ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] else escape[0], text)
    try:
        found = _DECODER.decode(text)
    except JSONDecodeError as error:
        if "\x00" in text[:4]:
            return "encoding"  # UTF-16 or UTF-32 of plain letters, which UTF-8 lets pass
        return "cut_off" if _cut(text, error) else "not_json"
    except _NotJsonError:
        return "not_json"
    except RecursionError:
        return "too_deep"
    return "shape" if isinstance(found, str) else found


def _cut(text: str, error: JSONDecodeError) -> bool:
    """Whether `text` is the beginning of JSON that ends too early."""
    rest = text[error.pos :]
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    if error.msg.startswith("Invalid \\uXXXX"):
        return _CUT_ESCAPE.fullmatch(rest.lstrip("\\")) is not None and len(rest) < 6
    if error.msg.startswith("Expecting value"):
        return rest == "-" or any(word.startswith(rest) for word in _LITERALS)
    return error.msg.startswith("Expecting ','") and text[error.pos - 1].isdigit() and bool(_CUT_NUMBER.fullmatch(rest))


class _NotJsonError(Exception):
    """NaN or Infinity was met."""


def _refuse(_: str) -> Any:
    raise _NotJsonError


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)
