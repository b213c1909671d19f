"""One Spark session for all tests that need one, made at the first of them."""

import atexit
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from drinkstream.settings import Settings
from drinkstream.spark import session
from streaming.jvm_classes import jar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@cache
def spark() -> "SparkSession":
    """The session: two cores, no adaptive plans, the default state store."""
    scratch = Path(mkdtemp(prefix="drinkstream-spark-"))
    settings = Settings.load()
    made = session(
        settings.model_copy(update={"home": scratch, "jars": settings.jar_folder}), "tests", 1024, jars=[jar()]
    )
    atexit.register(made.stop)
    return made
