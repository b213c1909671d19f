"""Bad input: 400 with a message that says what is allowed; what is not there: 404; all of it as JSON below /api."""

import base64
import json
import zlib

import pytest

from tests.web.conftest import AT, Web

CATEGORIES = "coffee, tea, beer, wine, spirits, soda, juice, water, energy, milk"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("share?from=2017-13-01", "from: a day of the calendar as YYYY-MM-DD (UTC), not '2017-13-01'"),
        ("share?to=20170914", "to: a day of the calendar as YYYY-MM-DD (UTC), not '20170914'"),
        ("share?from=２０１７-09-14", "from: a day of the calendar as YYYY-MM-DD (UTC), not '２０１７-09-14'"),
        (
            "share?from=2017-09-15&to=2017-09-14",
            "from 2017-09-15 lies after to 2017-09-14: both are days, and both are included",
        ),
        ("share?from=2014-09-01&to=2017-09-14", "from, to: at most 1100 days, not 1110"),
        ("share?category=cocoa", f"category: one of {CATEGORIES}; not 'cocoa'"),
        ("share?category=*", f"category: one of {CATEGORIES}; not '*'"),
        ("share?source=facebook", "source: one of x, bluesky, mastodon, demo; not 'facebook'"),
        ("share?kind=like", "kind: one of original, reply, quote, repost, not 'like'"),
        ("share?reposts=yes", "reposts: include or exclude, not 'yes'"),
        ("share?lang=zxx", "lang: a language tag such as en or pt-BR, or und (unknown), not 'zxx'"),
        ("share?lang=e!", "lang: a language tag such as en or pt-BR, or und (unknown), not 'e!'"),
        ("share?by=lang", "by: one of category, brand; not 'lang'"),
        ("share?format=xml", "format: one of json, csv; not 'xml'"),
        (
            "share?as_of=2017-09-14",
            "as_of: an instant as in RFC 3339 such as 2026-01-31T08:00:00Z, not '2017-09-14'",
        ),
        (
            "share?as_of=2017-09-14T08:00:00",
            "as_of: an instant as in RFC 3339 such as 2026-01-31T08:00:00Z, not '2017-09-14T08:00:00'",
        ),
        (
            "share?as_of=0001-01-01T00:00:00%2B14:00",
            "as_of: an instant as in RFC 3339 such as 2026-01-31T08:00:00Z, not '0001-01-01T00:00:00+14:00'",
        ),
        (
            "share?as_of=9999-12-31T23:59:59-14:00",
            "as_of: an instant as in RFC 3339 such as 2026-01-31T08:00:00Z, not '9999-12-31T23:59:59-14:00'",
        ),
        (
            "share?as_of=2017-09-15T14:34:57%2B02:00",
            "as_of: 2017-09-15T14:34:57+02:00 has not come yet; it is 2017-09-15T12:34:56Z",
        ),
        ("share?at=AAAA", "at: not a token of an earlier answer; leave it out to ask about now"),
        (
            "share?at=AAAA&as_of=2017-09-14T08:00:00Z",
            "at and as_of each name a state to answer from: give one of them",
        ),
        ("share?from=2017-09-14&from=2017-09-15", "from: given 2 times; give it once"),
        (
            "share?grain=day&colour=red",
            "colour, grain: not a parameter here; allowed are "
            "as_of, at, brand, by, category, format, from, kind, lang, reposts, source, to",
        ),
        ("trend?grain=week", "grain: one of day, hour, minute; not 'week'"),
        ("trend?grain=hour&from=2017-08-01&to=2017-09-14", "from, to: at most 31 days with grain=hour, not 45"),
        ("trend?grain=minute&from=2017-09-12&to=2017-09-14", "from, to: at most 2 days with grain=minute, not 3"),
        ("trend?last=60&from=2017-09-12", "last: minutes up to now, with grain=minute and without from and to"),
        ("trend?last=0", "last: a whole number from 1 to 1440, not '0'"),
        ("posts?limit=many", "limit: a whole number from 1 to 10000, not 'many'"),
        ("posts?limit=10001", "limit: a whole number from 1 to 10000, not '10001'"),
        ("posts?after=AAAA", "after: not the `next` of an earlier answer; leave it out to begin"),
        ("posts?after=A&next=A", "after and next mean the same: give one of them"),
        (
            "posts?category=tea&brand=*",
            "brand=* (any brand) counts without a category only: leave category out",
        ),
        (
            "posts?period=2017-09-14T25",
            "period: a day, hour or minute (UTC) such as 2017-09-14T13 or 2017-09-14T13:05, not '2017-09-14T25'",
        ),
        (
            "posts?period=2017-09-14T08&from=2017-09-15&to=2017-09-15",
            "period: 2017-09-14 does not lie in 2017-09-15 to 2017-09-15",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_and_says_what_is(web: Web, path: str, message: str) -> None:
    assert web.refused(path) == message


def cursor(state: str) -> str:
    return base64.urlsafe_b64encode(state.encode()).decode().rstrip("=")


@pytest.mark.parametrize("state", ["[[],1,[]]", "[" * 100_000])
def test_a_token_of_another_make_is_refused(web: Web, state: str) -> None:
    token = base64.urlsafe_b64encode(zlib.compress(state.encode())).decode().rstrip("=")
    assert web.refused(f"share?at={token}") == "at: not a token of an earlier answer; leave it out to ask about now"
    # the same behind a cursor, which carries the token of its list
    behind = cursor(json.dumps([token, "2017-09-14", "2017-09-14", "2017-09-14T08", 1, "x", 3, "101"]))
    assert web.refused(f"posts?after={behind}").startswith("at: not a token of an earlier answer")


@pytest.mark.parametrize("path", ["share?format=csv", "posts?format=csv", "bundle?"])
def test_a_token_with_anything_behind_it_is_refused(web: Web, path: str) -> None:
    """It goes into a header, which must not have a line feed."""
    for end in ("%0A", "%0A%0A%0A%0A", "%20", "%C3%A9"):
        assert (
            web.refused(f"{path}&at={AT}{end}") == "at: not a token of an earlier answer; leave it out to ask about now"
        )


@pytest.mark.parametrize(
    "state",
    [
        "[" * 20_000,
        "{}",
        '["t","2017-09-14","2017-09-14",{},1,"x",3,"101"]',
        '["t","2017-09-14","2017-09-14",8,1,"x",3,"101"]',
        '["t","2017-09-14","2017-09-14","2017-09-14T08",true,"x",3,"101"]',
        '[["t"],"2017-09-14","2017-09-14","2017-09-14T08",1,"x",3,"101"]',
        '["t",{},"2017-09-14","2017-09-14T08",1,"x",3,"101"]',
        '["t","2017-09-15","2017-09-14","2017-09-14T08",1,"x",3,"101"]',
        '["t","0001-01-01","9999-12-31","2017-09-14T08",1,"x",3,"101"]',
        '["t","2017-09-14","2017-09-14","yesterday",1,"x",3,"101"]',
    ],
)
def test_a_cursor_of_another_make_is_refused(web: Web, state: str) -> None:
    message = "after: not the `next` of an earlier answer; leave it out to begin"
    assert web.refused(f"posts?after={cursor(state)}") == message


def test_an_unknown_brand_lists_those_that_are_known(web: Web) -> None:
    message = web.refused("share?brand=acme")
    assert message.startswith("brand: one of ")
    assert message.endswith("; not 'acme'")
    assert {"starbucks", "perrier"} <= set(message.removeprefix("brand: one of ").split("; ")[0].split(", "))


def test_an_empty_parameter_counts_as_left_out(web: Web) -> None:
    """So that a plain form can ask."""
    assert web.get("share?from=2017-09-14&to=2017-09-14&category=&brand=&at=") == web.get(
        "share?from=2017-09-14&to=2017-09-14"
    )


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        (
            "get",
            "/api/v1/nothing",
            404,
            "no such route; /api/v1/ has share, trend, posts, bundle, why, days, status, reconciliation/<day>, "
            "difference/<day>, rejections",
        ),
        ("get", "/api", 404, None),
        ("post", "/api/v1/share", 405, "The method is not allowed for the requested URL."),
    ],
)
def test_what_is_not_there(web: Web, method: str, path: str, code: int, message: str | None) -> None:
    response = getattr(web.client, method)(path)
    assert response.status_code == code
    if message is None:
        assert "<h1>Not Found</h1>" in response.text
    else:
        assert response.get_json() == {"error": message}


def test_a_page_refuses_in_words(web: Web) -> None:
    response = web.client.get("/?from=tomorrow")
    assert response.status_code == 400
    assert "from: a day of the calendar as YYYY-MM-DD (UTC), not &#39;tomorrow&#39;" in response.text
