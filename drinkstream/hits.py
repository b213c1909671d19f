"""A post in each of its levels, and which lines may name a drink at all: what every layer's workers do to a record."""

import gc
from functools import cache, lru_cache
from math import lcm

import numpy as np
import pyarrow as pa

from drinkstream.cells import levels, spread_of
from drinkstream.classify import Classifier
from drinkstream.post import Post
from drinkstream.prefilter import Prefilter
from drinkstream.settings import Settings
from drinkstream.taxonomy import load

LEVELS = pa.list_(pa.struct([("category", pa.string()), ("brand", pa.string()), ("shard", pa.int16())]))
"""What `placed` gives of a post, as Arrow has it."""


@cache
def _prefilter() -> Prefilter:
    # once for each Python worker, which Spark reuses over micro-batches; only the first of all compiles it
    return Prefilter(load(), Settings.load().home / "prefilter")


@cache
def classifier() -> Classifier:
    """The classifier of the installed taxonomy, compiled once in a process."""
    made = Classifier(load())
    # it and the prefilter live as long as the process: a collector that walks all they hold again and again takes a
    # sixth of a worker's time
    gc.collect()
    gc.freeze()
    return made


def prepare() -> None:
    """Makes what all records go through, so that the first one does not wait for it."""
    _prefilter()
    classifier()


def mentions(post: Post) -> tuple[tuple[str | None, str | None], ...]:
    """The (category, brand) pairs that a post's text names."""
    decision = classifier().decide(post.text, post.lang)
    return tuple([(mention.category, mention.brand) for mention in decision.mentions])


def placed(post: Post) -> tuple[tuple[str, str, int], ...]:
    """A post's levels as (category, brand, shard), in a fixed order; none where it names no drink and no brand."""
    named = mentions(post)
    turns = _turns()
    # most taxonomies have one shard everywhere, for which no post needs to be spread
    return _placed(named, spread_of(post.source, post.id) % turns if turns > 1 else 0) if named else ()


@lru_cache(maxsize=4096)
def _placed(named: tuple[tuple[str | None, str | None], ...], spread: int) -> tuple[tuple[str, str, int], ...]:
    """The levels of a post with these mentions, each with its shard; most posts name what others do."""
    shards = load().shards
    return tuple((level.category, level.brand, spread % shards.get(level.category, 1)) for level in levels(named))


@cache
def _turns() -> int:
    """A number that every level's number of shards divides: a post's shards follow from its spread modulo it."""
    return lcm(*load().shards.values())


def candidates(values: pa.Array) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which of these lines (binary, shape (n,)) may name a drink; False is certain."""
    text, offsets = bytes_of(values)
    if not text:
        return np.zeros(len(values), np.bool_)
    return _prefilter().candidates(text, offsets)


def bytes_of(values: pa.Array) -> "tuple[memoryview, np.ndarray[tuple[int], np.dtype[np.int32]]]":
    """The bytes of all lines (binary, shape (n,)), one behind the other, and where each begins and the last ends."""
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    base, data = int(offsets[0]), values.buffers()[2]
    return memoryview(data or b"")[base : int(offsets[-1])], offsets - base
