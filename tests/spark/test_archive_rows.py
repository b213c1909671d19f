"""The archive's rows, as Spark makes them of Kafka's records: the first header of a name counts, all is compiled."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from streaming.archive import erased, records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MS = 1_505_347_200_000
APPENDED = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = (
    "key binary, value binary, topic string, partition int, offset long, timestamp timestamp, "
    "headers array<struct<key: string, value: binary>>"
)
Headers = list[tuple[str, bytes | None]]


def kafka(spark: "SparkSession", *headers: Headers | None) -> "DataFrame":
    """Records with these headers, as Spark's reader gives them: none is a null, not an empty array."""
    rows = [
        (bytearray(b"x:%d" % n), bytearray(b"{}"), "posts", 0, n, APPENDED, _given(one))
        for n, one in enumerate(headers)
    ]
    return spark.createDataFrame(rows, SCHEMA)


def _given(headers: Headers | None) -> Any:
    if headers is None:
        return None
    return [(name, None if value is None else bytearray(value)) for name, value in headers]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", b"1505347200000")], ("x", "post.x.v2", MS)),
        ([("event_ms", b"1505347200000"), ("shape", b"a"), ("source", b"x")], ("x", "a", MS)),
        ([("shape", b"first"), ("shape", b"second"), ("event_ms", b"1"), ("event_ms", b"2")], (None, "first", 1)),
        ([("shape", None), ("shape", b"second"), ("source", b"\xffx")], ("\ufffdx", None, None)),
        ([("other", b"1")], (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_the_first_header_of_a_name_counts(
    spark: "SparkSession", headers: Headers | None, found: tuple[Any, ...]
) -> None:
    (row,) = records(kafka(spark, headers), "c1").collect()
    assert (row["source"], row["shape"], row["event_ms"]) == found


def test_no_part_of_a_row_is_interpreted(spark: "SparkSession") -> None:
    """What Spark cannot compile it asks anew for each record, which made an archive a seventh as fast."""
    rows = records(kafka(spark, [("source", b"x")]), "c1")
    for made in (rows, erased(rows, ["x:0"])):
        code = spark._jvm.org.apache.spark.sql.api.python.PythonSQLUtils.explainString(  # type: ignore[union-attr]
            made._jdf.queryExecution(), "codegen"
        )
        assert "event_ms" in code
        assert ".eval(" not in code
