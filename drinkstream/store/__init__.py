"""The Cassandra edge: the schema, and the only code that speaks CQL."""
