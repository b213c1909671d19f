"""What all tests share: the Spark session, made only when a test asks for it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> "SparkSession":
    """The one Spark session of this test run."""
    from tests.lib.spark import spark as made

    return made()
