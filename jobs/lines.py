"""The archived records of some days, read by Spark's Python workers where they lie.

A line is parsed in Python; that Spark's JVM reads the files first, and hands each line over, would cost more than all
that is done to most of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from drinkstream.archive import Archive
from drinkstream.archive_files import BATCH_ROWS, parts, read

Reading = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Lines:
    """The records of `topic` that lie under `days` (`YYYY-MM-DD`, or `none`) of a pinned archive."""

    spark: SparkSession
    archive: Archive
    topic: str
    days: Collection[str]

    def mapped(
        self,
        columns: Collection[str],
        reading: Reading,
        schema: pa.Schema,
        rows: int = BATCH_ROWS,
        keys: Mapping[str, pa.Array] | None = None,
    ) -> DataFrame:
        """What `reading` makes of the records, as rows of `schema`; it runs once for each task.

        It gets batches of these `columns` of drinkstream.archive_files.RECORDS, of `rows` at most, each of one day;
        with `keys` only of the records that have these keys, by day, which are handed to every worker.
        """
        uri, topic, tasks = self.archive.uri, self.topic, parts(self.archive, self.days)
        handed = None if keys is None else self.spark.sparkContext.broadcast(keys)

        def read_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for number in batch.column(0).to_pylist():
                    sought = None if handed is None else handed.value
                    yield from reading(read(uri, topic, tasks[number], columns, rows, sought))

        # one number for each task
        numbers = self.spark.range(0, len(tasks), 1, max(1, len(tasks)))
        return numbers.mapInArrow(read_all, from_arrow_schema(schema))
