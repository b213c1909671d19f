"""A commit of the archive, as Spark writes it: few files, on however many cores, and no dictionary made in vain."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake import DeltaTable
from pyarrow.parquet import read_metadata
from pyspark import SparkContext

from drinkstream.archive import Archive
from drinkstream.positions import Ledger
from drinkstream.settings import Settings
from streaming.archive import WRITING, begin, create, records
from streaming.resume import Start
from tests.spark.test_archive_rows import SCHEMA, kafka

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY_MS = 86_400_000


@pytest.fixture
def written(spark: "SparkSession", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The files of one commit on eight cores, of four partitions with records of two days each."""
    monkeypatch.setattr(SparkContext, "defaultParallelism", 8)
    settings = Settings(home=tmp_path)
    given = [[("event_ms", b"%d" % (1_505_347_200_000 + n % 2 * DAY_MS))] for n in range(200)]
    kafka(spark, *given).write.parquet(str(tmp_path / "topic"))
    rows = records(spark.readStream.schema(SCHEMA).parquet(str(tmp_path / "topic")).repartition(4), "c1")
    conf = {name.removeprefix("spark.hadoop."): value for name, value in WRITING.items()}
    try:
        for name, value in conf.items():
            spark.conf.set(name, value)
        create(spark, Archive(settings.archive), Ledger.beside(settings.archive))
        query = begin(rows, settings, Start(tmp_path / "checkpoint", None))
        query.processAllAvailable()
        query.stop()
        yield [Path(uri.removeprefix("file://")) for uri in DeltaTable(settings.archive).file_uris()]
    finally:
        for name in conf:
            spark.conf.unset(name)


def test_a_commit_writes_two_files_for_each_day_with_dictionaries_where_values_are_alike(written: list[Path]) -> None:
    assert Counter(path.parent.name for path in written) == {"day=2017-09-14": 2, "day=2017-09-15": 2}
    for path in written:
        group = read_metadata(path).row_group(0)
        columns = [group.column(n) for n in range(group.num_columns)]
        has_one = {column.path_in_schema: column.has_dictionary_page for column in columns}
        assert (has_one["key"], has_one["value"], has_one["topic"]) == (False, False, True)
