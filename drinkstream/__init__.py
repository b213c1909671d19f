"""The meaning of a number, once: what a post is, what counts as a drink, what a cell is, and how the layers merge."""

from drinkstream.compiled import prefer

prefer(__path__)
