"""The taxonomy as a flat list of words, for peers that have no classifier: what stands in a text counts, whatever is
around it.

    python -m bench.peers.words FILE

A line for each alias and meaning, parted by tabs: the alias in lower case, category, brand (each '' for none), whether
letters may stand before it and after it ('1' or ''), and its languages with commas ('' for all). Aliases that count in
a context only, in capitals only or as names only are left out.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from drinkstream.lexicon import ANY, spelled_out
from drinkstream.senses import Term
from drinkstream.taxonomy import Taxonomy, load
from drinkstream.tokens import NO_SPACES


def main(file: str) -> None:
    """Writes the list of the installed taxonomy."""
    write(Path(file))


def write(file: Path) -> None:
    """Writes the list of the installed taxonomy to `file`."""
    file.write_text("".join("\t".join(line) + "\n" for line in dict.fromkeys(words(load()))))


def words(taxonomy: Taxonomy) -> Iterator[tuple[str, str, str, str, str, str]]:
    """The lines of the list, which may repeat themselves; of several meanings the first that fits a post's language
    counts.
    """
    for term in taxonomy.terms:
        if term.need or term.names or term.case != "any":
            continue
        category = "" if term.drink_when else term.category or ""
        if category or term.brand:
            for alias, before, after in _aliases(term):
                yield alias, category, term.brand or "", before, after, ",".join(sorted(term.langs))


def _aliases(term: Term) -> Iterator[tuple[str, str, str]]:
    if term.emoji:
        for char in term.words:
            yield char.rstrip("\ufe0f"), "1", "1"
        return
    for form in spelled_out(term):
        if ANY in form:
            continue
        if NO_SPACES.search("".join(form)):
            yield from (("".join(form), "1", "1"), (" ".join(form), "1", "1"))
        else:
            yield " ".join(form), "1" if term.ending or term.inside else "", "1" if term.inside else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
