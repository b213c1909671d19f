"""Each wire shape, written by hand, and the whole record that it must become."""

import json
from pathlib import Path
from typing import Any

import pytest

import drinkstream.post
from drinkstream.post import Envelope, Notice, Post, Rejected, Tombstone, day_of, envelopes, parse

ID = "908130000000000000"  # made at 2017-09-14T00:47:18.896Z, which the id itself says
ID_MS = 1_505_350_038_896
NOW = 1_600_000_000_000  # 2020-09-13T12:26:40Z


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def v2(includes: Any = None, **fields: Any) -> bytes:
    data = {"id": ID, "text": "flat white please", **fields}
    return line(data=data) if includes is None else line(data=data, includes=includes)


def v1(**fields: Any) -> bytes:
    return line(**{"id": int(ID), "id_str": ID, "text": "flat white please", **fields})


def post(**changes: Any) -> Post:
    whole: dict[str, Any] = {
        "source": "x",
        "id": ID,
        "version": ID,
        "event_ms": ID_MS,
        "lang": "und",
        "kind": "original",
        "text": "flat white please",
        "hashtags": (),
        "place": None,
        "edited": False,
    }
    return Post(**{**whole, **changes})


V2 = {
    "with nothing but what must be there": (v2(), post()),
    "as the filtered stream sends it, its matching rules ignored": (
        line(
            data={"id": ID, "text": "tea", "created_at": "2017-09-14T00:47:18.000Z", "lang": "en"},
            matching_rules=[{"id": "1", "tag": "beer"}],
        ),
        post(text="tea", lang="en"),
    ),
    "with every field null that may be": (
        v2(
            None,
            created_at=None,
            lang=None,
            edit_history_tweet_ids=None,
            note_tweet=None,
            referenced_tweets=None,
            entities=None,
            geo=None,
        ),
        post(),
    ),
    "long": (
        v2(note_tweet={"text": "flat white, and then &gt; 280 letters", "entities": {"hashtags": [{"tag": "Kaffee"}]}}),
        post(text="flat white, and then > 280 letters", hashtags=("Kaffee",)),
    ),
    "reply": (v2(referenced_tweets=[{"type": "replied_to", "id": "1"}]), post(kind="reply")),
    "quote that is a reply too": (
        v2(referenced_tweets=[{"type": "replied_to", "id": "1"}, {"type": "quoted", "id": "2"}]),
        post(kind="quote"),
    ),
    "quote, whose quoted text is not its own": (
        v2({"tweets": [{"id": "2", "text": "beer"}]}, referenced_tweets=[{"type": "quoted", "id": "2"}]),
        post(kind="quote"),
    ),
    "answer to nobody's post in particular": (v2(in_reply_to_user_id="7"), post()),
    "repost without the reposted one": (
        v2(text="RT @a: flat wh…", referenced_tweets=[{"type": "retweeted", "id": "2"}]),
        post(kind="repost", text="RT @a: flat wh…"),
    ),
    "repost with the reposted one": (
        v2(
            {"tweets": [{"id": "3", "text": "no"}, {"id": "2", "text": "flat white &amp; cake"}]},
            text="RT @a: flat wh…",
            referenced_tweets=[{"type": "retweeted", "id": "2"}],
        ),
        post(kind="repost", text="flat white & cake"),
    ),
    "repost of a long one, with the tags of the text that counts": (
        v2(
            {
                "tweets": [
                    {
                        "id": "2",
                        "text": "short",
                        "note_tweet": {"text": "the long form"},
                        "entities": {"hashtags": [{"tag": "tea"}]},
                    }
                ]
            },
            text="RT @a: sho…",
            referenced_tweets=[{"type": "retweeted", "id": "2"}],
            entities={"hashtags": [{"tag": "cut"}]},
        ),
        post(kind="repost", text="the long form", hashtags=("tea",)),
    ),
    "edited: it counts under the first id and its time": (
        v2(id="908130005000000000", edit_history_tweet_ids=[ID, "908130005000000000"]),
        post(version="908130005000000000", edited=True, others=("908130005000000000",)),
    ),
    "first version of one that was edited later": (
        v2(edit_history_tweet_ids=[ID, "908130005000000000", "x", "908130007000000000", ID]),
        post(others=("908130005000000000", "908130007000000000")),
    ),
    "with tags, place and language": (
        v2(lang="in", entities={"hashtags": [{"tag": "Kopi"}, {"tag": "☕"}]}, geo={"place_id": "01a9a39529b27f36"}),
        post(lang="id", hashtags=("Kopi", "☕"), place="01a9a39529b27f36"),
    ),
    "from before ids carried a time": (
        v2(id="29999999999", created_at="2010-11-03T23:59:59.123Z"),
        post(id="29999999999", version="29999999999", event_ms=1_288_828_799_123),
    ),
    "with the first id that carries a time": (
        v2(id="30000000000", created_at="2009-01-01T00:00:00.000Z"),
        post(id="30000000000", version="30000000000", event_ms=1_288_834_981_809),
    ),
    "put flat by twarc, the reposted one inside its reference": (
        line(
            id=ID,
            text="RT @a: flat wh…",
            author={"username": "b"},
            referenced_tweets=[{"type": "retweeted", "id": "2", "text": "flat white & cake"}],
        ),
        post(kind="repost", text="flat white & cake"),
    ),
}

V1 = {
    "short": (v1(lang="en"), post(lang="en")),
    "with the id as a number only": (line(id=int(ID), text="flat white please"), post()),
    "whose id a float has rounded": (v1(id=908130000000000100), post()),
    "in extended mode": (v1(text="flat…", full_text="flat white &lt;3"), post(text="flat white <3")),
    "in compatible mode, long": (
        v1(
            text="flat…",
            truncated=True,
            extended_tweet={"full_text": "the long form", "entities": {"hashtags": [{"text": "tea"}]}},
            entities={"hashtags": []},
        ),
        post(text="the long form", hashtags=("tea",)),
    ),
    "in compatible mode, long, without its long form: a short word at the cut may be a part of one": (
        v1(text="a flat white for the tea… https://t.co/a1", truncated=True),
        post(text="a flat white for the … https://t.co/a1"),
    ),
    "in compatible mode, cut behind a long word": (
        v1(text="one more cappuccino… https://t.co/a1", truncated=True),
        post(text="one more cappuccino… https://t.co/a1"),
    ),
    "not truncated, with dots of its own": (
        v1(text="a cup of tea… https://t.co/a1", truncated=False),
        post(text="a cup of tea… https://t.co/a1"),
    ),
    "repost of a truncated one": (
        v1(text="RT @a: fl…", retweeted_status={"id": 2, "text": "flat white, no mil…", "truncated": True}),
        post(kind="repost", text="flat white, no …"),
    ),
    "reply": (v1(in_reply_to_status_id=1, in_reply_to_status_id_str="1"), post(kind="reply")),
    "addressed to someone, answering no post": (v1(in_reply_to_user_id=1, in_reply_to_screen_name="a"), post()),
    "quote that is a reply too": (
        v1(in_reply_to_status_id=1, is_quote_status=True, quoted_status={"id": 2, "text": "beer"}),
        post(kind="quote"),
    ),
    "quote of a deleted post": (v1(is_quote_status=True), post(kind="quote")),
    "repost of a quote": (
        v1(
            text="RT @a: flat wh…",
            is_quote_status=True,
            retweeted_status={"id": 2, "text": "flat white & cake", "entities": {"hashtags": [{"text": "tea"}]}},
        ),
        post(kind="repost", text="flat white & cake", hashtags=("tea",)),
    ),
    "repost of a long one": (
        v1(
            text="RT @a: fl…",
            retweeted_status={"id": 2, "text": "fl…", "extended_tweet": {"full_text": "the long form"}},
        ),
        post(kind="repost", text="the long form"),
    ),
    "with every field null that may be": (
        v1(
            retweeted_status=None,
            quoted_status=None,
            extended_tweet=None,
            in_reply_to_status_id=None,
            entities=None,
            place=None,
            lang=None,
        ),
        post(),
    ),
    "with a place": (
        v1(place={"id": "5635c19c2b5078d1", "full_name": "Virginia, USA"}),
        post(place="5635c19c2b5078d1"),
    ),
    "edited": (
        v1(id=1, id_str="908130005000000000", edit_history={"initial_tweet_id": ID, "edit_tweet_ids": [ID]}),
        post(version="908130005000000000", edited=True, others=("908130005000000000",)),
    ),
    "edited, and later again": (
        v1(edit_history={"initial_tweet_id": ID, "edit_tweet_ids": [ID, 908130005000000000, None]}),
        post(others=("908130005000000000",)),
    ),
    "of the first month": (
        line(id=20, id_str="20", text="just setting up my tea", created_at="Tue Mar 21 20:50:14 +0000 2006"),
        post(id="20", version="20", text="just setting up my tea", event_ms=1_142_974_214_000),
    ),
}

TEXT = {
    "entities once": ("a &amp;lt; b &quot;c&quot;", 'a &lt; b "c"'),
    "an entity of five thousand digits": ("tea &#" + "9" * 5000 + ";", "tea \ufffd"),
    "nothing": ("", ""),
    "emoji": ("☕\U0001f375", "☕\U0001f375"),
}

LANGUAGES = {
    "in": "id",
    "iw": "he",
    "tl": "fil",
    "zh-cn": "zh-CN",
    "pt_br": "pt-BR",
    "EN": "en",
    "und": "und",
    "qme": "und",
    "qst": "und",
    "zxx": "und",
    "art": "und",
    "": "und",
    "no such tag": "und",
    "x" * 10_000_000: "und",
}

TOMBSTONES = {
    "v1.1 delete": (
        line(delete={"status": {"id": int(ID), "id_str": ID, "user_id": 3, "user_id_str": "3"}, "timestamp_ms": "1"}),
        Tombstone("x", ID, "delete", ()),
        ID_MS,
    ),
    "v1.1 delete of a post without time": (
        line(delete={"status": {"id": 1234, "user_id": 3}}),
        Tombstone("x", "1234", "delete", ()),
        None,
    ),
    "v1.1 scrub geo, which names the last post of many": (
        line(scrub_geo={"user_id": 3, "user_id_str": "3", "up_to_status_id": int(ID), "up_to_status_id_str": ID}),
        Tombstone("x", ID, "scrub_geo", ()),
        ID_MS,
    ),
    "v1.1 withheld": (
        line(status_withheld={"id": int(ID), "user_id": 3, "withheld_in_countries": ["de", "AR"]}),
        Tombstone("x", ID, "withheld", ("DE", "AR")),
        ID_MS,
    ),
    "v2 delete": (
        line(data={"delete": {"tweet": {"id": ID, "author_id": "3"}, "event_at": "2020-01-01T00:00:00.000Z"}}),
        Tombstone("x", ID, "delete", ()),
        ID_MS,
    ),
    "v2 withheld everywhere": (
        line(data={"withheld": {"tweet": {"id": ID, "author_id": "3"}, "withheld_in_countries": ["XX"]}}),
        Tombstone("x", ID, "withheld", ("XX",)),
        ID_MS,
    ),
    "v2 scrub geo": (
        line(data={"scrub_geo": {"user": {"id": "3"}, "up_to_tweet_id": ID}}),
        Tombstone("x", ID, "scrub_geo", ()),
        ID_MS,
    ),
    "result of a compliance job": (
        line(id=ID, action="delete", created_at="2017-09-14T00:47:18.000Z", reason="deactivated"),
        Tombstone("x", ID, "delete", ()),
        ID_MS,
    ),
    "result of a compliance job, place only": (
        line(id=ID, action="delete", created_at="2017-09-14T00:47:18.000Z", reason="scrub_geo"),
        Tombstone("x", ID, "scrub_geo", ()),
        ID_MS,
    ),
    "result of a compliance job about an early post": (
        line(id="1234567", action="delete", created_at="2007-03-01T00:00:00.000Z", reason="deleted"),
        Tombstone("x", "1234567", "delete", ()),
        1_172_707_200_000,
    ),
}

NOTICES = {
    "an empty line": (b"", "keepalive"),
    "white space": (b" \r\n", "keepalive"),
    "v1.1 limit": (line(limit={"track": 5, "timestamp_ms": "1446358128027"}), "limit"),
    "v1.1 disconnect": (line(disconnect={"code": 4, "stream_name": "s", "reason": "r"}), "disconnect"),
    "v1.1 warning": (line(warning={"code": "FALLING_BEHIND", "message": "m", "percent_full": 60}), "warning"),
    "v1.1 user withheld": (line(user_withheld={"id": 123456, "withheld_in_countries": ["DE"]}), "user"),
    "v1.1 friends": (line(friends=[1, 2]), "friends"),
    "v1.1 event": (line(event="follow", source={"id": 1}, target={"id": 2}), "event"),
    "v1.1 deleted direct message": (line(delete={"direct_message": {"id": 1, "user_id": 2}}), "other_delete"),
    "v2 user deleted": (line(data={"user_delete": {"user": {"id": "1"}, "event_at": "e"}}), "user"),
    "v2 user's places": (line(data={"scrub_geo": {"user": {"id": "1"}, "event_at": "e"}}), "user"),
    "v2 edit": (
        line(data={"tweet_edit": {"tweet": {"id": ID, "edit_tweet_ids": ["1"]}, "event_at": "e"}}),
        "tweet_edit",
    ),
    "v2 hidden": (line(data={"drop": {"tweet": {"id": ID}, "event_at": "e"}}), "drop"),
    "v2 shown again": (line(data={"undrop": {"tweet": {"id": ID}, "event_at": "e"}}), "undrop"),
    "v2 errors only": (line(errors=[{"title": "operational-disconnect", "disconnect_type": "x"}]), "error"),
    "v2 problem": (line(title="ConnectionException", detail="d", type="https://t"), "error"),
    "v2 empty page": (line(meta={"result_count": 0}), "page"),
    "result of a compliance job about a user": (
        line(id="1482680858", action="delete", created_at="2013-06-04T16:25:04+00:00", reason="protected"),
        "user",
    ),
}

REJECTED = {
    "another letter code": (v2(text="café").decode().replace("\\u00e9", "é").encode("latin-1"), "encoding"),
    "UTF-16 with its mark": (v2().decode().encode("utf-16"), "encoding"),
    "UTF-16 without": (v2().decode().encode("utf-16-le"), "encoding"),
    "UTF-16 cut at line feeds": (b"\x00" + v2().decode().encode("utf-16-le")[:-1], "encoding"),
    "a surrogate in UTF-8": (b'{"data":{"id":"1","text":"\xed\xa0\x80"}}', "encoding"),
    "cut inside a string": (v2()[:40], "cut_off"),
    "cut inside a letter": (json.dumps({"text": "☕"}, ensure_ascii=False).encode()[:11], "cut_off"),
    "cut inside an escape": (b'{"text":"\\u26', "cut_off"),
    "cut before the last brace": (v2()[:-1], "cut_off"),
    "words": (b"Exceeded connection limit for user", "not_json"),
    "two objects": (b"{}{}", "not_json"),
    "NaN": (b'{"data":{"id":"1","text":"a","score":NaN}}', "not_json"),
    "a raw line feed in a string": (b'{"text":"a\nb"}', "not_json"),
    "an array": (b"[1]", "shape"),
    "a string": (b'"tea"', "shape"),
    "a number": (b"1", "shape"),
    "null": (b"null", "shape"),
    "an empty object": (b"{}", "shape"),
    "unknown": (line(hello="world"), "shape"),
    "a post without text": (line(data={"id": ID}), "shape"),
    "text that is none": (v2(text=5), "shape"),
    "includes that are none": (v2(includes=[]), "shape"),
    "a page that nobody split": (line(data=[{"id": ID, "text": "tea"}]), "shape"),
    "no id": (line(text="tea"), "id"),
    "an id that is a float": (line(id=9.0813e17, text="tea"), "id"),
    "an id that is a word": (v2(id="abc"), "id"),
    "an id of other digits": (v2(id="１２３"), "id"),
    "an id above 63 bits": (v2(id="9223372036854775808"), "id"),
    "an id of a million digits": (b'{"text":"tea","id":' + b"1" * 1_000_000 + b"}", "id"),
    "an id of zero": (v2(id="0"), "id"),
    "a negative id": (line(id=-5, text="tea"), "id"),
    "a bad first id": (v2(edit_history_tweet_ids=["x"]), "id"),
    "a bad id deleted": (line(delete={"status": {"id": "x"}}), "id"),
    "an id from the future": (v2(id="9223372036854775807"), "time"),
    "an early id without time": (v2(id="20"), "time"),
    "an early id with a time that is none": (v2(id="20", created_at="yesterday"), "time"),
    "1970": (v2(id="20", created_at="1970-01-01T00:00:00.000Z"), "time"),
    "the last moment of 2005": (v2(id="20", created_at="2005-12-31T23:59:59.999Z"), "time"),
    "2099": (v2(id="20", created_at="2099-01-01T00:00:00.000Z"), "time"),
    "a nesting bomb": (b'{"a":' * 100_000, "too_deep"),
    "a closed nesting bomb": (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
    "201 levels": (b'{"a":' * 201 + b"1" + b"}" * 201, "too_deep"),
}


@pytest.mark.parametrize("name", V2)
def test_post_of_v2(name: str) -> None:
    """A v2 line becomes this post, and the envelope says the same."""
    value, expected = V2[name]
    assert parse(value, "x", NOW) == expected
    shape = "post.x.v2.flat" if "flat by" in name else "post.x.v2"
    assert envelopes(value, "x", NOW) == [Envelope(value, expected.id, shape, expected.event_ms)]


@pytest.mark.parametrize("name", V1)
def test_post_of_v1(name: str) -> None:
    """A v1.1 line becomes this post, and the envelope says the same."""
    value, expected = V1[name]
    assert parse(value, "x", NOW) == expected
    assert envelopes(value, "x", NOW) == [Envelope(value, expected.id, "post.x.v1", expected.event_ms)]


@pytest.mark.parametrize("name", TEXT)
def test_text_is_what_a_reader_sees(name: str) -> None:
    """HTML entities are resolved once; nothing in a text can break the parser."""
    written, read = TEXT[name]
    assert parse(v2(text=written), "x", NOW) == post(text=read)


def test_lone_surrogates_are_replaced_wherever_they_stand() -> None:
    """Half a pair, which X has sent as an escape, must not make a text that nobody can encode; a pair is a letter."""
    value = (
        b'{"data":{"id":"908130000000000000","text":"tea \\ud83d and \\ud83c\\udf75","lang":"\\ud800",'
        b'"entities":{"hashtags":[{"tag":"\\udc00x"}]},"geo":{"place_id":"\\ud800"}},"other":"\\udfff"}'
    )
    assert parse(value, "x", NOW) == post(text="tea \ufffd and \U0001f375", hashtags=("\ufffdx",), place="\ufffd")


@pytest.mark.parametrize("tag", LANGUAGES, ids=lambda tag: tag[:12])
def test_language_has_one_spelling(tag: str) -> None:
    """BCP 47 as every layer writes it; what names no language is `und`."""
    assert parse(v1(lang=tag), "x", NOW) == post(lang=LANGUAGES[tag])


@pytest.mark.parametrize("name", TOMBSTONES)
def test_tombstone(name: str) -> None:
    """An order about a post carries the post's id, and the post's time where the line tells it."""
    value, expected, event_ms = TOMBSTONES[name]
    assert parse(value, "x", NOW) == expected
    assert envelopes(value, "x", NOW) == [Envelope(value, expected.id, "tombstone." + expected.action, event_ms)]


@pytest.mark.parametrize("name", NOTICES)
def test_notice(name: str) -> None:
    """What the network says about itself, a user or a page is counted, keeps its bytes and has neither id nor time."""
    value, kind = NOTICES[name]
    assert parse(value, "x", NOW) == Notice("x", kind)
    assert envelopes(value, "x", NOW) == [Envelope(value, None, "notice." + kind, None)]


@pytest.mark.parametrize("name", REJECTED)
def test_rejected(name: str) -> None:
    """A line that cannot be read is rejected with its reason; whoever sends it gets no exception."""
    value, reason = REJECTED[name]
    assert parse(value, "x", NOW) == Rejected(reason)


@pytest.mark.parametrize("name", ["an empty object", "an id that is a word", "cut inside a string"])
def test_rejected_has_no_key(name: str) -> None:
    """A rejected line goes out with its bytes, without id and without time."""
    value, reason = REJECTED[name]
    assert envelopes(value, "x", NOW) == [Envelope(value, None, "rejected." + reason, None)]


def test_time_is_judged_by_arrival_to_the_millisecond() -> None:
    """An hour ahead of arrival is let pass, a millisecond more is not; the id stays the key, the time is not sent."""
    hour = 3_600_000
    assert parse(v2(), "x", ID_MS - hour) == post()
    assert parse(v2(), "x", ID_MS - hour - 1) == Rejected("time")
    assert envelopes(v2(), "x", ID_MS - hour - 1) == [Envelope(v2(), ID, "rejected.time", None)]
    assert parse(v2(id="20", created_at="2006-01-01T00:00:00.000Z"), "x", NOW) == post(
        id="20", version="20", event_ms=1_136_073_600_000
    )


def test_200_levels_are_read() -> None:
    """A deep but honest line is read, however deep its caller stands itself; brackets inside a string are letters."""
    deep = b'{"data":{"id":"908130000000000000","text":"flat white please","a":' + b"[" * 198 + b"]" * 198 + b"}}"
    assert parse(deep, "x", NOW) == post()
    assert parse(v2(text='"[{' * 500), "x", NOW) == post(text='"[{' * 500)


def test_last_of_equal_keys_wins() -> None:
    """As in every JSON reader at hand, on the fast path and on the patient one."""
    assert parse(b'{"data":{"id":"20","id":"908130000000000000","text":"a","text":"b"}}', "x", NOW) == post(text="b")
    assert parse(b'{"data":{"id":"20","text":5},"data":{"id":"908130000000000000","text":"b"}}', "x", NOW) == post(
        text="b"
    )


def test_byte_order_mark_is_let_pass() -> None:
    """The first line of a file that a Windows program wrote is a post like the others."""
    assert parse(b"\xef\xbb\xbf" + v2(), "x", NOW) == post()


def test_demo_posts_have_x_shapes_and_their_own_source() -> None:
    """The generator writes v2 lines; its ids are its own."""
    assert parse(v2(), "demo", NOW) == post(source="demo")
    assert envelopes(v2(), "demo", NOW) == [Envelope(v2(), ID, "post.x.v2", ID_MS)]


def test_a_fault_of_ours_is_counted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops neither the stream nor the count, and its reason is one that no line can have."""

    def broken(value: bytes, source: str) -> Any:
        raise KeyError(value, source)

    monkeypatch.setitem(drinkstream.post._READERS, "x", broken)
    assert parse(v2(), "x", NOW) == Rejected("internal")
    assert envelopes(v2(), "x", NOW) == [Envelope(v2(), None, "rejected.internal", None)]
    assert parse(v2(), "demo", NOW) == post(source="demo")


def test_unknown_source_is_rejected() -> None:
    """No network's shape is guessed."""
    assert parse(v2(), "bluesky", NOW) == Rejected("shape")
    assert envelopes(b"", "bluesky", NOW) == [Envelope(b"", None, "rejected.shape", None)]


def test_page_is_split_and_each_member_keeps_what_it_refers_to() -> None:
    """One record for each member of `data`, its bytes, id and time its own; errors and meta are one notice."""
    page = (
        b'{"__twarc":{"version":"2"},"data":['
        b'{"id":"908130000000000000", "text":"RT @b: fl\\u0061t\\u2026", "author_id":"7",'
        b' "referenced_tweets":[{"type":"retweeted","id":"5"}]},'
        b'{"id":"908130005000000000","text":"tea","edit_history_tweet_ids":["908130000000000000"],'
        b'"geo":{"place_id":"p1"},"attachments":{"media_keys":["3_1"]}},'
        b'{"id":"x","text":"tea"}],'
        b'"includes":{"tweets":[{"id":"5","text":"flat white please","author_id":"8"},{"id":"6","text":"beer"}],'
        b'"users":[{"id":"7"},{"id":"8"},{"id":"9"}],"places":[{"id":"p1","full_name":"Riga"}],'
        b'"media":[{"media_key":"3_1"},{"media_key":"3_2"}]},'
        b'"errors":[{"title":"Not Found Error"}],"meta":{"result_count":3}}'
    )
    first = (
        b'{"data":{"id":"908130000000000000", "text":"RT @b: fl\\u0061t\\u2026", "author_id":"7",'
        b' "referenced_tweets":[{"type":"retweeted","id":"5"}]},'
        b'"includes":{"tweets":[{"id":"5","text":"flat white please","author_id":"8"}],'
        b'"users":[{"id":"7"},{"id":"8"}]}}'
    )
    second = (
        b'{"data":{"id":"908130005000000000","text":"tea","edit_history_tweet_ids":["908130000000000000"],'
        b'"geo":{"place_id":"p1"},"attachments":{"media_keys":["3_1"]}},'
        b'"includes":{"places":[{"id":"p1","full_name":"Riga"}],"media":[{"media_key":"3_1"}]}}'
    )
    third = b'{"data":{"id":"x","text":"tea"},"includes":{}}'
    rest = b'{"errors":[{"title":"Not Found Error"}],"meta":{"result_count":3}}'
    assert envelopes(page, "x", NOW) == [
        Envelope(first, ID, "post.x.v2.member", ID_MS),
        Envelope(second, ID, "post.x.v2.member", ID_MS),
        Envelope(third, None, "rejected.id", None),
        Envelope(rest, None, "notice.page", None),
    ]
    assert parse(first, "x", NOW) == post(kind="repost")
    assert parse(second, "x", NOW) == post(
        version="908130005000000000", text="tea", edited=True, place="p1", others=("908130005000000000",)
    )


def test_page_that_only_the_patient_reader_stands_is_split_too() -> None:
    """Half a surrogate pair, a member that is no object and includes of an unknown form lose no post."""
    page = b'{"data":[{"id":"908130000000000000","text":"\\ud83d"},null],"includes":{"tweets":5},"meta":null}'
    assert envelopes(page, "x", NOW) == [
        Envelope(b'{"data":{"id":"908130000000000000","text":"\\ud83d"},"includes":{}}', ID, "post.x.v2.member", ID_MS),
        Envelope(b'{"data":null,"includes":{}}', None, "rejected.shape", None),
    ]


@pytest.mark.parametrize("text", [b"tea", b"\\ud83d"])
def test_page_behind_a_byte_order_mark_is_split_as_without_it(text: bytes) -> None:
    """Some programs put one before a file; also where only the patient reader stands the page."""
    drunk = b'{"id":"908130000000000000","text":"%b"}' % text
    page = b'{"data":[%b,{"id":"x","text":"tea"}],"meta":{"result_count":2}}' % drunk
    member = b'{"data":%b,"includes":{}}' % drunk
    assert envelopes(b"\xef\xbb\xbf" + page, "x", NOW) == [
        Envelope(member, ID, "post.x.v2.member", ID_MS),
        Envelope(b'{"data":{"id":"x","text":"tea"},"includes":{}}', None, "rejected.id", None),
        Envelope(b'{"meta":{"result_count":2}}', None, "notice.page", None),
    ]


@pytest.mark.parametrize("page", [b'{"data":[]}', b'{"data":[],"includes":{}}', b'\xef\xbb\xbf{"data":[]}'])
def test_page_with_nothing_is_still_one_notice(page: bytes) -> None:
    """Every line leaves at least one record, else it would not be accounted for."""
    assert envelopes(page, "x", NOW) == [Envelope(page, None, "notice.page", None)]
    assert parse(page, "x", NOW) == Notice("x", "page")


def test_empty_page_with_meta_is_one_notice() -> None:
    """What a search that found nothing answers; of such a page only errors and meta are kept."""
    page = b'{"data":[],"meta":{"result_count":0},"errors":null}'
    assert envelopes(page, "x", NOW) == [Envelope(b'{"meta":{"result_count":0}}', None, "notice.page", None)]


def test_day_is_that_of_utc() -> None:
    """The last and the first millisecond of two days."""
    assert (day_of(1_505_347_199_999), day_of(1_505_347_200_000)) == ("2017-09-13", "2017-09-14")


def test_the_page_of_wire_shapes_names_every_shape() -> None:
    """`docs/wire-shapes.md` is what an operator has beside a count by shape."""
    page = (Path(__file__).parents[2] / "docs" / "wire-shapes.md").read_text()
    posts = [value for value, _ in [*V2.values(), *V1.values()]]
    orders = [value for value, _, _ in TOMBSTONES.values()]
    shapes = {envelopes(value, "x", NOW)[0].shape for value in [*posts, *orders]}
    shapes |= {"notice." + kind for _, kind in NOTICES.values()} | {reason for _, reason in REJECTED.values()}
    assert {shape for shape in shapes if f"`{shape}`" not in page} == set()
