"""The schema is applied to a store in use: it may add tables, and leaves those that are there as they are."""

from drinkstream.settings import Settings
from stack.cassandra import SCHEMA, statements


def test_no_statement_of_the_schema_changes_a_table():
    """What a session has prepared goes on reading the columns that it was prepared with."""
    begins = {" ".join(statement.split()[:5]) for statement in statements(SCHEMA, Settings())}
    assert begins == {"CREATE TABLE IF NOT EXISTS"}
