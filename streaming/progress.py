"""What a streaming query tells of its triggers, as it goes on."""

import json
from itertools import takewhile
from typing import Any

from pyspark.sql.streaming.listener import StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery


class Told:
    """What `query` told of its triggers, each once, however often it is looked at.

    Spark's own `recentProgress` turns all that is kept into Python at each look: of a thousand triggers, looked at
    twice a second, that takes half a core.
    """

    def __init__(self, query: StreamingQuery) -> None:
        self._query = query
        self._last: tuple[int, str] | None = None

    def new(self) -> list[StreamingQueryProgress]:
        """What was told since the last look and is still kept (`numRecentProgressUpdates`), the oldest first."""
        kept: Any = self._query._jsq.recentProgress()
        new = list(takewhile(lambda one: _trigger(one) != self._last, reversed(kept)))
        if new:
            self._last = _trigger(new[0])
        return [StreamingQueryProgress.fromJson(json.loads(one.json())) for one in reversed(new)]


def _trigger(told: Any) -> tuple[int, str]:
    # one without records has the number of the micro-batch that comes next
    return int(told.batchId()), str(told.timestamp())
