"""Kills of random processes under load; after each recovery the merged answer is held against the truth."""
