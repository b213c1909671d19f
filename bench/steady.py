"""Which part of a drain is measured: what comes behind the warm-up, step by step, by what the stores themselves say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from drinkstream.errors import BadInputError
from drinkstream.store.read import Batch

WARM = 0.99
"""The share of the warm-up that counts as all of it: a micro-batch takes a few records fewer than it may, since each
partition's part is rounded down, and the one behind it is measured."""


@dataclass(frozen=True, slots=True)
class Step:
    """A micro-batch, or a commit, that has ended: when, its posts, and all posts up to its end."""

    ended_at: datetime
    posts: int
    so_far: int


def steps(ended: Iterable[tuple[datetime, int]]) -> list[Step]:
    """Steps of (end, posts), in order."""
    made: list[Step] = []
    for ended_at, posts in ended:
        made.append(Step(ended_at, posts, posts + (made[-1].so_far if made else 0)))
    return made


def steps_of(done: Iterable[Batch]) -> list[Step]:
    """Those of the micro-batches that have ended."""
    return steps((batch.ended_at, batch.rows_in) for batch in done if batch.ended_at is not None)


def warmed(taken: Iterable[Step], warm_up: int) -> Step | None:
    """The step with which the warm-up was taken."""
    return next((step for step in taken if step.so_far >= WARM * warm_up), None)


def rate(taken: Sequence[Step], warm_up: int, most: int) -> float:
    """Posts/s of the full steps (of up to `most` posts) behind the first `warm_up` posts.

    Raises BadInputError where fewer than two full ones are left.
    """
    first = warmed(taken, warm_up)
    # the last steps through a topic that has run dry are only part full
    last = next((step for step in reversed(taken) if step.posts > most / 2), None)
    if first is None or last is None or last.so_far - first.so_far < 1.9 * most:
        raise BadInputError(
            "fewer than two full micro-batches behind the warm-up: take more posts, or a smaller --most"
        )
    return (last.so_far - first.so_far) / (last.ended_at - first.ended_at).total_seconds()


def joint_rate(both: Sequence[Sequence[Step]], warm_up: int) -> float:
    """Posts/s at which a backlog goes through all of several programs that began with it together.

    It is that of the posts behind the warm-up, from when the first of them has taken the warm-up until the last has all
    of the backlog. What is left of the others' warm-up then is done in this time too, so it is never too high.
    """
    first = min((step for taken in both if (step := warmed(taken, warm_up))), key=lambda step: step.ended_at)
    last = max((taken[-1] for taken in both), key=lambda step: step.ended_at)
    return (last.so_far - first.so_far) / (last.ended_at - first.ended_at).total_seconds()
