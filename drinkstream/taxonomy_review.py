"""What a change of the taxonomy does: entries that do nothing, and texts that are read otherwise than before."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from drinkstream.classify import Classifier
from drinkstream.decision import Decision
from drinkstream.fold import fold
from drinkstream.lexicon import Lexicon
from drinkstream.taxonomy import COMPANY, Taxonomy
from drinkstream.tokens import NO_SPACES, phrases

Pairs = frozenset[tuple[str, str]]
"""(category, brand) of what a text mentions, "" for none."""


@dataclass(frozen=True, slots=True)
class Change:
    """A text that two taxonomies read differently: what it mentions by each, and the rules that one of them used."""

    id: object
    text: str
    before: Pairs
    after: Pairs
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]


def idle(taxonomy: Taxonomy) -> Iterator[str]:
    """Each context that no entry refers to, and each phrase of a trap in which no alias stands."""
    used = {COMPANY}
    for term in taxonomy.terms:
        used.update((*term.need, *term.unless, *term.abroad, *term.drink_when, *term.only_brand))
    for trap in taxonomy.traps:
        used.update(trap.unless)
    yield from (f"context {name} is used by no entry" for name in taxonomy.contexts if name not in used)
    lexicon = Lexicon.of(taxonomy)
    aliases, endings = lexicon.heads.keys(), tuple(lexicon.endings)
    for trap in taxonomy.traps:
        for spec in trap.words:
            forms = [tuple(fold(token).text for token in phrase) for phrase in phrases(spec)]
            if not trap.ending and not any(_may_hold(form, aliases, endings) for form in forms):
                yield f"{trap.rule}: no alias stands in {spec[:60]!r}"


def _may_hold(form: tuple[str, ...], aliases: Set[str], endings: tuple[str, ...]) -> bool:
    if not aliases.isdisjoint(form) or NO_SPACES.search("".join(form)) is not None:
        return True
    return any(word.endswith(endings) for word in form)  # would be read as a compound


def changes(old: Taxonomy, new: Taxonomy, posts: Iterable[tuple[object, str, str | None]]) -> Iterator[Change]:
    """The posts (id, text, language) whose mentions change from `old` to `new`."""
    one, other = Classifier(old), Classifier(new)
    for post_id, text, lang in posts:
        was, now = one.decide(text, lang), other.decide(text, lang)
        before, after = _pairs(was), _pairs(now)
        if before != after:
            rules_before, rules_after = _rules(was), _rules(now)
            yield Change(
                post_id,
                text,
                before,
                after,
                tuple(rule for rule in rules_before if rule not in rules_after),
                tuple(rule for rule in rules_after if rule not in rules_before),
            )


def _pairs(decision: Decision) -> Pairs:
    return frozenset((mention.category or "", mention.brand or "") for mention in decision.mentions)


def _rules(decision: Decision) -> tuple[str, ...]:
    counted = (f"counts {mention.alias!r} by {mention.rule}" for mention in decision.mentions)
    held = (f"holds back {held.alias!r} by {held.rule}" for held in decision.held)
    return tuple(dict.fromkeys((*counted, *held)))
