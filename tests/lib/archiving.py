"""The archive query in this process, as the program `archive` runs it, until it has taken what Kafka holds."""

from threading import Event
from typing import TYPE_CHECKING

from drinkstream.archive import Archive
from drinkstream.positions import Ledger
from drinkstream.settings import Settings
from streaming.archive import create, life
from streaming.offsets import look

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Drained(Event):
    """Set once the archive has all that Kafka held when it was made."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        found = look(settings.bootstrap, (settings.posts_topic, settings.status_topic))
        self._cluster, self._ends = found.cluster, found.end
        self._ledger = Ledger.beside(settings.archive)

    def is_set(self) -> bool:
        reached = self._ledger.positions(self._cluster)
        return super().is_set() or all(reached.get(place, 0) >= end for place, end in self._ends.items())


def archived(spark: "SparkSession", settings: Settings) -> None:
    """Archives all that Kafka holds now."""
    create(spark, Archive(settings.archive), Ledger.beside(settings.archive))
    stop = Drained(settings)
    while not stop.is_set():
        life(spark, settings, stop)
