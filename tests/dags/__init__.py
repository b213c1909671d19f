"""Tests of the DAGs. A package, so that what the fixtures of its scope change ends with this folder."""
