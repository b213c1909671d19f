"""The taxonomy: what counts as which drink or brand, read from TOML, validated, versioned by its content.

`taxonomy.toml` names categories, shards, contexts and suffixes; the parts in the folder `taxonomy/` beside it hold the
terms by language, the brands, the traps and the emoji. docs/mentions.md explains the format to those who edit it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from drinkstream.errors import BadInputError
from drinkstream.senses import OWN_PREFIXES, OWN_REASONS, Context, Term, Trap
from drinkstream.taxonomy_file import Entry, TomlFile

COMPANY = "company"
"""The context in which a product's name means its maker."""

DEFAULT = Path(__file__).with_name("taxonomy.toml")


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All of it. `version` is a hash of the files; `shards` is the fixed number of shards by category, and of `*`."""

    version: str
    categories: tuple[str, ...]
    brands: tuple[str, ...]
    shards: Mapping[str, int]
    terms: tuple[Term, ...]
    traps: tuple[Trap, ...]
    contexts: Mapping[str, Context]
    languages: Mapping[str, tuple[str, ...]]
    fillers: frozenset[str]
    particles: tuple[str, ...]


def load(path: Path | None = None) -> Taxonomy:
    """The taxonomy at `path` (default: the one installed) with its parts; the installed one is read once.

    Raises BadInputError that names file, line and remedy for anything that is not as it must be.
    """
    return _installed() if path is None else _load(Path(path))


def files_of(path: Path) -> list[Path]:
    """The file at `path` and the taxonomy's other parts; hidden ones, such as an editor's locks, are none."""
    parts = path.with_suffix("").glob("*.toml")
    return [path, *sorted(part for part in parts if not part.name.startswith("."))]


@cache
def _installed() -> Taxonomy:
    return _load(DEFAULT)


def _load(path: Path) -> Taxonomy:
    if not path.is_file():
        raise BadInputError(f"no taxonomy at {path}: name an existing taxonomy.toml")
    files = [TomlFile.read(part) for part in files_of(path)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.path.name.encode() + b"\0" + file.content + b"\0")
    head = files[0].head()
    scope = _Scope(head.strings("categories", required=True), {}, {}, {}, {})
    for file in files:
        _contexts(file, scope)
    terms: list[Term] = []
    traps: list[Trap] = []
    rules: dict[str, str] = {}
    for file in files:
        for made, entry, key in (*_listed(file, scope), *_products(file, scope)):
            if made.rule in rules:
                raise entry.error(key, f"{made.rule} is taken ({rules[made.rule]})", "give it an id of its own")
            rules[made.rule] = entry.place(key)
            if isinstance(made, Trap):
                traps.append(made)
            else:
                terms.append(made)
    brands = tuple(dict.fromkeys(term.brand for term in terms if term.brand))
    return Taxonomy(
        version=digest.hexdigest()[:16],
        categories=scope.categories,
        brands=brands,
        shards=MappingProxyType(head.shards(scope.categories)),
        terms=tuple(terms),
        traps=tuple(traps),
        contexts=MappingProxyType(scope.contexts),
        languages=MappingProxyType(scope.languages),
        fillers=frozenset(word for file in files for word in file.head().strings("fillers")),
        particles=tuple(part for file in files for part in file.head().strings("particles")),
    )


@dataclass(slots=True)
class _Scope:
    """What entries may refer to."""

    categories: tuple[str, ...]
    contexts: dict[str, Context]
    suffixes: dict[str, tuple[str, ...]]
    prefixes: dict[str, tuple[str, ...]]
    languages: dict[str, tuple[str, ...]]


def _contexts(file: TomlFile, scope: _Scope) -> None:
    for entry in file.named("context"):
        name = entry.name
        if name in OWN_REASONS or name.startswith(OWN_PREFIXES):
            raise entry.error("", f"context {name} is named like a reason of its own", "give it another name")
        if name in scope.contexts:
            raise entry.error("", f"context {name} is defined twice", "join the two, or give one another name")
        scope.contexts[name] = Context(
            name,
            near=entry.phrases("near"),
            before=entry.phrases("before"),
            after=entry.phrases("after"),
            parts=entry.strings("parts"),
            within=entry.integer("within", 6, least=0),
        )
    for entry in file.named("suffixes"):
        scope.suffixes[entry.name] = entry.strings("list", required=True)
    for entry in file.named("prefixes"):
        scope.prefixes[entry.name] = entry.strings("list", required=True)
    for entry in file.named("language"):
        scope.languages[entry.name] = entry.strings("words", required=True)


def _listed(file: TomlFile, scope: _Scope) -> Iterator[tuple[Term | Trap, Entry, str]]:
    everywhere = file.head().several_of("unless", scope.contexts)
    for entry in file.entries():
        yield (_trap(entry, scope) if entry.table == "trap" else _term(entry, scope, everywhere)), entry, "id"


def _products(file: TomlFile, scope: _Scope) -> Iterator[tuple[Term, Entry, str]]:
    """The brands of [products.CATEGORY], each of which means its drink unless the company is meant."""
    company = tuple(name for name in (COMPANY,) if name in scope.contexts)
    everywhere = file.head().several_of("unless", scope.contexts)
    for entry in file.named("products"):
        if entry.name not in scope.categories:
            raise entry.error("", f"products of {entry.name!r}", f"use one of {', '.join(scope.categories)}")
        for brand in entry.data:
            words = entry.phrases(brand, required=True)
            yield (
                Term(entry.named_rule(brand), words, entry.name, brand, only_brand=company, unless=everywhere),
                entry,
                brand,
            )


def _term(entry: Entry, scope: _Scope, everywhere: tuple[str, ...]) -> Term:
    brand = entry.text("brand") if entry.table == "brand" else None
    if entry.table == "brand" and brand is None:
        raise entry.error("", "a brand without its name", 'add brand = "name in lower case"')
    category = entry.one_of("category", scope.categories)
    if category is None and entry.table != "brand":
        raise entry.error("", "a term without a category", f"add category = one of {', '.join(scope.categories)}")
    refer = {key: entry.several_of(key, scope.contexts) for key in ("need", "unless", "drink_when", "only_brand")}
    if entry.table != "emoji":
        refer["unless"] = tuple(dict.fromkeys((*refer["unless"], *everywhere)))
    langs = entry.langs()
    return Term(
        rule=entry.rule,
        words=entry.strings("words", required=True)
        if entry.table == "emoji"
        else entry.phrases("words", required=True),
        category=category,
        brand=brand,
        menu=entry.several_of("menu", scope.categories),
        langs=langs,
        not_langs=entry.langs("not_langs"),
        abroad=entry.several_of("abroad", scope.contexts, ("drinking",) if langs else ()),
        prefixes=entry.affixes("prefixes", scope.prefixes),
        suffixes=entry.affixes("suffixes", scope.suffixes),
        accents=entry.one_of("accents", ("optional", "kept")) or "optional",
        case=entry.one_of("case", ("any", "upper", "lower")) or "any",
        names=entry.flag("names"),
        inside=entry.flag("inside"),
        ending=entry.flag("ending"),
        emoji=entry.table == "emoji",
        **refer,
    )


def _trap(entry: Entry, scope: _Scope) -> Trap:
    words = entry.phrases("words", required=True)
    return Trap(
        entry.rule,
        words,
        entry.several_of("holds", scope.categories),
        entry.langs(),
        entry.several_of("unless", scope.contexts),
        entry.flag("ending"),
    )
