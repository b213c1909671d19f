"""Why an alias counts or does not, in words for an analyst who knows the taxonomy's files but not the code."""

from collections.abc import Mapping
from functools import cache
from itertools import chain, islice

from drinkstream.senses import Context, Term, Trap
from drinkstream.taxonomy import Taxonomy, load
from drinkstream.tokens import phrases

SHOWN = 6
"""Words of a context that an explanation quotes."""


class Explainer:
    """Puts the rules of one taxonomy into words."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._contexts = taxonomy.contexts
        self._terms: Mapping[str, Term] = {term.rule: term for term in taxonomy.terms}
        self._traps: Mapping[str, Trap] = {trap.rule: trap for trap in taxonomy.traps}

    def counts(self, rule: str) -> str:
        """What a mention's rule says beyond that the alias is listed; '' where it says no more."""
        _, *because = rule.split("+")
        return "; ".join(self._because(one) for one in because)

    def _because(self, name: str) -> str:
        if name in self._contexts:
            return f"{name}: beside {self._words(name)}"
        return f"the drink beside it, by rule {name}"

    def held(self, rule: str) -> str:
        """Why a rule held an alias back."""
        if rule in self._traps:
            return f"it is part of a name, an idiom or a thing listed as {rule}"
        name, _, reason = rule.partition(":")
        term = self._terms.get(name)
        if term is None:
            return f"by rule {rule}"
        if reason == "language":
            away = f" or beside {' or '.join(term.abroad)}" if term.abroad else ""
            langs = ", ".join(sorted(term.langs)) or f"all but {', '.join(sorted(term.not_langs))}"
            return f"{name} counts in {langs}{away} only, and the post is in neither"
        if reason == "name":
            return f"{name} is written like a name here: capitals beside capitals"
        if reason == "cut-off":
            return f"{name} may be the beginning of a longer word: the repost is cut off here"
        if reason.startswith("not-"):
            return f"{name} counts in {reason.removeprefix('not-').replace('-', ' ')} only"
        if reason.startswith("needs-"):
            needed = " or ".join(f"{one} ({self._words(one)})" for one in term.need)
            return f"{name} is ambiguous and counts beside {needed} only"
        return f"{name} does not count beside {reason} ({self._words(reason)})"

    def _words(self, name: str) -> str:
        context = self._contexts.get(name)
        if context is None:
            return "?"
        listed = list(islice(dict.fromkeys(_phrases(context)), SHOWN + 1))
        return ", ".join(listed[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")


@cache
def installed() -> Explainer:
    """The explainer of the installed taxonomy."""
    return Explainer(load())


def _phrases(context: Context) -> chain[str]:
    specs = chain(context.near, context.before, context.after)
    return chain((" ".join(phrase) for spec in specs for phrase in phrases(spec)), context.parts)
