"""What a streaming query tells of its triggers, as it goes on."""

import json
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
        found: list[StreamingQueryProgress] = []
        last = None
        for place in reversed(range(len(kept))):
            one = kept[place]
            # a trigger without records has the number of the micro-batch that comes next
            trigger = int(one.batchId()), str(one.timestamp())
            if trigger == self._last:
                break
            last = last or trigger
            found.append(StreamingQueryProgress.fromJson(json.loads(one.json())))
        self._last = last or self._last
        return found[::-1]
