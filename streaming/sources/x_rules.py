"""The rules on X's filtered stream: which words X is asked to look for. They never decide a count."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from tweepy import StreamRule

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.lexicon import spelled_out
from drinkstream.taxonomy import Taxonomy, files_of, load

MOST_RULES = 1_000
MOST_CHARACTERS = 1_024
AT_ONCE = 100  # rules in one request
GAP = "*"  # the classifier's sign for any word
TAG = "drinkstream"  # rules with another tag belong to somebody else and are left alone

log = logging.getLogger("drinkstream.x")

Calling = Callable[[Callable[[], Any]], Any]
"""Makes a call to X. Raises UnavailableError where it gives up, BadInputError where X refuses it."""


class RulesClient(Protocol):
    """What is needed of tweepy's StreamingClient."""

    def get_rules(self) -> Any: ...
    def add_rules(self, add: list[StreamRule]) -> Any: ...
    def delete_rules(self, ids: list[str]) -> Any: ...


def clauses(taxonomy: Taxonomy) -> Iterator[str]:
    """One clause of a rule for every form of every alias, as the classifier spells them out: `"flat white"`.

    A form with any word in between asks for both parts, wherever they stand: `("rum" "coke")`. X compares words as they
    are spelt, apart from upper and lower case, so each form stands here with and without its accents.
    """
    for term in taxonomy.terms:
        for form in spelled_out(term):
            parts = [" ".join(words) for gap, words in groupby(form, GAP.__eq__) if not gap]
            quoted = " ".join(f'"{part}"' for part in parts)
            yield quoted if len(parts) == 1 else f"({quoted})"


def rules(clauses: Iterable[str]) -> list[str]:
    """Rules that together ask for each of the clauses: `"flat white" OR "espresso" OR ...`, each within X's limits.

    Raises BadInputError where they do not fit into as many rules as X allows.
    """
    made: list[str] = []
    for clause in dict.fromkeys(clauses):
        if made and len(made[-1]) + len(" OR ") + len(clause) <= MOST_CHARACTERS:
            made[-1] += " OR " + clause
        else:
            made.append(clause)
    if len(made) > MOST_RULES or any(len(rule) > MOST_CHARACTERS for rule in made):
        raise BadInputError(f"the taxonomy's words do not fit into {MOST_RULES} rules of {MOST_CHARACTERS} characters")
    return made


class Followed:
    """Our rules on the stream as the taxonomy at `path` has them, while that is edited."""

    def __init__(self, client: RulesClient, path: Path) -> None:
        self._client = client
        self._path = path
        self._seen = self._tried = ""
        self._refused = False  # what was tried last, before X was asked

    def begin(self, patiently: Calling) -> None:
        """Sync the rules; where the taxonomy does not load or fit into rules, or X refuses one, those that we have on
        the stream stay.

        Raises BadInputError where there are none of ours then.
        """
        self._seen = self._tried = _content(self._path)
        try:
            sync(self._client, patiently, self._wanted())
        except BadInputError as error:
            there: list[StreamRule] = patiently(self._client.get_rules).data or []
            if not any(rule.tag == TAG for rule in there):
                raise
            self._stay(error)

    def look(self, call: Calling) -> None:
        """Sync the rules if the taxonomy has changed, and stood still from the last look to this one.

        What cannot be is logged, once for each change, and the rules on the stream stay; where X is out of reach, the
        next look tries again.
        """
        found = _content(self._path)
        still, self._seen = found == self._seen, found
        if still and found != self._tried:
            self._sync(call, found)

    def check(self, call: Calling) -> None:
        """Sync the rules again, and warn where they were others: another program may have changed them.

        Nothing is done where the taxonomy has changed, which `look` sees to, or makes no rules. What X refused is tried
        again: it may have been for a reason that has passed.
        """
        found = _content(self._path)
        if found == self._tried and not self._refused and (changed := self._sync(call, found)):
            log.warning(
                "event=rules_repaired changed=%d note=another program with the same token has changed our rules: "
                "let only one run, or all with the same taxonomy",
                changed,
            )

    def _sync(self, call: Calling, found: str) -> int:
        """How many rules were added or deleted for the taxonomy with this content."""
        changed = 0
        try:
            changed = sync(self._client, call, self._wanted())
        except UnavailableError as error:
            log.warning("event=waiting for=rules error=%s", error)
            return 0
        except BadInputError as error:
            self._stay(error)
        self._tried = found
        return changed

    def _wanted(self) -> list[str]:
        """The taxonomy's rules. Raises BadInputError where it does not load or does not fit into rules."""
        self._refused = True
        wanted = rules(clauses(load(self._path)))
        self._refused = False
        return wanted

    def _stay(self, error: BadInputError) -> None:
        until = "until the taxonomy is mended" if self._refused else "and are tried again in some minutes"
        log.error("event=rules_refused note=the rules on the stream stay %s error=%s", until, error)


def _content(path: Path) -> str:
    """Changes with the content of the taxonomy's files, or with why one cannot be read."""
    digest = hashlib.sha256()
    for file in files_of(path):
        try:
            content = file.read_bytes()
        except OSError as error:
            content = str(error).encode()
        digest.update(b"%b\0%d\n" % (file.name.encode(), len(content)) + content)
    return digest.hexdigest()


def sync(client: RulesClient, patiently: Calling, wanted: Sequence[str] | None = None) -> int:
    """Make our rules on the stream those wanted, first adding, then deleting, so that no word is left out; returns how
    many were added or deleted.

    Where X has no room for both, old ones make room for new ones, a request's worth at a time. Without `wanted` nothing
    is changed. `patiently` makes each call. Raises BadInputError where X refuses a rule, or where the stream would have
    no rule at all.
    """
    there: list[StreamRule] = patiently(client.get_rules).data or []
    if wanted is None:
        log.info("event=rules there=%d changed=0 note=the rules on the stream are left as they are", len(there))
        if not there:
            raise BadInputError("there are no rules on X's filtered stream, so it would send nothing: add some first")
        return 0
    ours = {rule.value: rule for rule in there if rule.tag == TAG}
    missing = [StreamRule(value=rule, tag=TAG) for rule in wanted if rule not in ours]
    stale = [rule.id for value, rule in ours.items() if value not in set(wanted)]
    log.info("event=rules there=%d missing=%d stale=%d", len(there), len(missing), len(stale))
    changed = len(missing) + len(stale)

    def delete() -> int:
        ids = [stale.pop() for _ in range(min(AT_ONCE, len(stale)))]
        patiently(lambda: client.delete_rules(ids))
        return len(ids)

    held = len(there)
    while missing:
        if stale and held >= MOST_RULES:
            held -= delete()
        batch = missing[: min(AT_ONCE, max(MOST_RULES - held, 1))]
        del missing[: len(batch)]
        held += len(batch)
        answer = patiently(lambda batch=batch: client.add_rules(batch))  # type: ignore[misc]
        errors = [e for e in answer.errors or [] if e.get("title") != "DuplicateRule"]
        if errors:
            raise BadInputError(f"X refused a rule: {errors[0]}")
    while stale:
        delete()
    return changed
