"""A quick look at many lines of X's v2: which are posts never edited with the id that they are expected to have.

It reads no more than decides that. It is not compiled: the interpreter reads fields of msgspec's objects faster.
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drinkstream.wire_values import FIRST_TIMED_ID, ID_EPOCH_MS, MAX_ID
from drinkstream.wire_x_fields import Entities, Geo, Includes, Note, Reference

NO_TIME = -1
"""What stands for no event time."""


class Tweet(msgspec.Struct, gc=False):
    """The fields of `wire_x_fields.Tweet`, but for those that may have any type and are not asked about."""

    id: str | None = None
    text: str | None = None
    edit_history_tweet_ids: list[Any] | None = None
    note_tweet: Note | None = None
    referenced_tweets: list[Reference] | None = None
    entities: Entities | None = None
    geo: Geo | None = None


class Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A line that holds a post of v2, and nothing by which it could be another shape."""

    data: Tweet
    includes: Includes | None = None
    matching_rules: msgspec.Raw = msgspec.Raw()
    errors: msgspec.Raw = msgspec.Raw()


_LINE = msgspec.json.Decoder(Line)


def event_times(values: list[bytes | None], names: pa.Array) -> npt.NDArray[np.int64]:
    """The event times (ms since 1970 UTC) of the v2 posts, never edited, with the ids `names` (string, shape (n,)).

    `wire_x.read` agrees wherever there is one; NO_TIME leaves a line to it. No value may be `wire_json.undecodable`;
    values and names may be None.
    """
    decode = _LINE.decode
    found = []
    for value, name in zip(values, names.to_pylist(), strict=True):
        if value is None or name is None:
            found.append(False)
            continue
        try:
            tweet = decode(value).data
        except (msgspec.MsgspecError, RecursionError):
            found.append(False)
            continue
        history = tweet.edit_history_tweet_ids
        unedited = not history or (len(history) == 1 and history[0] == name)
        found.append(unedited and tweet.id == name and tweet.text is not None)
    numbers = _numbers(names)
    return np.where(np.array(found, np.bool_) & (numbers >= FIRST_TIMED_ID), (numbers >> 22) + ID_EPOCH_MS, NO_TIME)


def _numbers(names: pa.Array) -> npt.NDArray[np.int64]:
    """Ids as `wire_values.post_id` reads them; 0 for what is none."""
    decimal = pc.and_(pc.ascii_is_decimal(names), pc.invert(pc.starts_with(names, "0")))
    # nineteen digits fit into 64 bits, not all of them into 63
    fits = pc.fill_null(pc.and_(decimal, pc.less_equal(pc.binary_length(names), 19)), False)
    numbers = pc.if_else(fits, names, "0").cast(pa.uint64()).to_numpy()
    return np.where(numbers <= MAX_ID, numbers, 0).astype(np.int64)
