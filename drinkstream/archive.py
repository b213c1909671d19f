"""The archive's edge (deltalake, pyarrow; no JVM): what its Delta table holds, read at one version."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import TableNotFoundError

from drinkstream.errors import UnavailableError
from drinkstream.positions import Positions


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive at `uri`, as it is now, or, where `pinned` names a version of the table, as it was then."""

    uri: str
    pinned: int | None = None

    def version(self) -> int:
        """The table's version. Raises UnavailableError, as all methods do, while there is no table."""
        return int(self._table().version())

    def table_id(self) -> str:
        """The table's unique id: a table made anew has another."""
        return str(self._table().metadata().id)

    def positions(self, cluster: str) -> Positions:
        """Next offset of each Kafka partition of `cluster`, by the rows of the table: one more than the highest."""
        rows = self._ask(
            'SELECT topic, "partition" AS p, max("offset") + 1 AS next FROM archive '
            f"WHERE cluster = {_quoted(cluster)} GROUP BY topic, p"
        )
        return {(row["topic"], row["p"]): row["next"] for row in rows}

    def _table(self) -> DeltaTable:
        try:
            return DeltaTable(self.uri, version=self.pinned)
        except TableNotFoundError:
            raise UnavailableError(
                f"no archive at {self.uri} yet: the archive query makes it at its first start"
            ) from None

    def _ask(self, sql: str) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        reader = QueryBuilder().register("archive", self._table()).execute(sql)
        for batch in reader:
            yield from pa.record_batch(batch).to_pylist()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
