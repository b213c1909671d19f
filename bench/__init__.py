"""Reproducible measurements: each prints a table, checks its counts, and keeps its figures in var/bench/latest.json."""
