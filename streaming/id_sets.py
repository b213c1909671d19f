"""Sets of integer ids, made and packed in Spark's JVM (jvm/CollectIds.java)."""

from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from drinkstream.errors import DrinkStreamError
from streaming.jvm_classes import jar

FUNCTION = "packed_ids"


def packed_ids(spark: SparkSession, column: str) -> Column:
    """An aggregation: the set of a column's ids (bigint, none below 0) as a blob of cells.py's codec. Null is no id.

    The session must have been opened with `jar`. Raises DrinkStreamError where that is not compiled.
    """
    if not jar().is_file():
        raise DrinkStreamError("the classes that count in Spark's JVM are not compiled: run make install")
    jvm: Any = spark._jvm
    session: Any = spark._jsparkSession
    packed = jvm.org.apache.spark.sql.functions.udaf(
        jvm.drinkstream.CollectIds(), jvm.org.apache.spark.sql.Encoders.LONG()
    )
    session.udf().register(FUNCTION, packed)
    return F.call_function(FUNCTION, column)
