"""The fields of X's lines that are read, typed: what the fast decoder makes of a line of v1.1 or v2."""

from typing import Any

import msgspec


class Hashtag(msgspec.Struct, gc=False):
    tag: str | None = None  # v2
    text: str | None = None  # v1.1


class Entities(msgspec.Struct, gc=False):
    hashtags: list[Hashtag] | None = None


class Note(msgspec.Struct, gc=False):
    text: str | None = None
    entities: Entities | None = None


class Included(msgspec.Struct, gc=False):
    """A post that another one refers to."""

    id: Any = None
    text: str | None = None
    note_tweet: Note | None = None
    entities: Entities | None = None


class Reference(Included, gc=False):
    """What a post refers to; `text` and what follows it only where `twarc2 flatten` put the other post itself here."""

    type: str | None = None


class Geo(msgspec.Struct, gc=False):
    place_id: str | None = None


class Tweet(msgspec.Struct, gc=False):
    """A post of v2; ids and `lang` are checked by hand, so that a bad id is told from a bad shape."""

    id: Any = None
    text: str | None = None
    created_at: Any = None
    lang: Any = None
    edit_history_tweet_ids: list[Any] | None = None
    note_tweet: Note | None = None
    referenced_tweets: list[Reference] | None = None
    entities: Entities | None = None
    geo: Geo | None = None


class Includes(msgspec.Struct, gc=False):
    tweets: list[Included] | None = None


class Extended(msgspec.Struct, gc=False):
    full_text: str | None = None
    entities: Entities | None = None


class Place(msgspec.Struct, gc=False):
    id: str | None = None


class Quoted(msgspec.Struct, gc=False):
    """Only whether it is there matters."""


class EditHistory(msgspec.Struct, gc=False):
    initial_tweet_id: Any = None
    edit_tweet_ids: list[Any] | None = None


class Reposted(msgspec.Struct, gc=False):
    text: str | None = None
    full_text: str | None = None
    truncated: Any = None
    extended_tweet: Extended | None = None
    entities: Entities | None = None


class Line(Tweet, gc=False):
    """A line: `data` and `includes` of v2, the other fields of v1.1, or the fields of a v2 post that was put flat."""

    data: Tweet | list[msgspec.Raw] | None = None
    includes: Includes | None = None
    id_str: Any = None
    full_text: str | None = None
    truncated: Any = None
    extended_tweet: Extended | None = None
    retweeted_status: Reposted | None = None
    quoted_status: Quoted | None = None
    quoted_status_id: Any = None
    is_quote_status: Any = None
    in_reply_to_status_id: Any = None
    edit_history: EditHistory | None = None
    place: Place | None = None
