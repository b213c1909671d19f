"""Sets of integer ids, made and packed in Spark's JVM (jvm/CollectIds.java)."""

from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

FUNCTION = "packed_ids"


def packed_ids(spark: SparkSession, column: str) -> Column:
    """An aggregation: the set of a column's ids (bigint, none below 0) as a blob of cells.py's codec. Null is no id.

    The session must have been opened with the jar of jvm_classes.py.
    """
    jvm: Any = spark._jvm
    session: Any = spark._jsparkSession
    packed = jvm.org.apache.spark.sql.functions.udaf(
        jvm.drinkstream.CollectIds(), jvm.org.apache.spark.sql.Encoders.LONG()
    )
    session.udf().register(FUNCTION, packed)
    return F.call_function(FUNCTION, column)
