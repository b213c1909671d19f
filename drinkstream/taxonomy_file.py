"""One TOML file of the taxonomy, its faults told with file, line and remedy."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drinkstream.errors import BadInputError
from drinkstream.tokens import phrases

TABLES = ("drink", "brand", "trap", "emoji")
KEYS = {
    "drink": frozenset(
        "id category words langs not_langs abroad need unless prefixes suffixes accents case names inside ending "
        "note".split()
    ),
    "brand": frozenset(
        "id brand category words menu drink_when only_brand langs not_langs abroad need unless suffixes accents case "
        "names inside note".split()
    ),
    "trap": frozenset("id words holds langs unless ending note".split()),
    "emoji": frozenset("id category words need unless note".split()),
    "context": frozenset("near before after parts within note".split()),
    "suffixes": frozenset("list note".split()),
    "prefixes": frozenset("list note".split()),
    "language": frozenset("words note".split()),
}
_NAMED = ("context", "suffixes", "prefixes", "language", "products")
_HEAD = frozenset(("categories", "shards", "fillers", "particles", "unless", *_NAMED, *TABLES))
_LANG = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed file with the bytes that it was parsed from."""

    path: Path
    content: bytes
    data: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "TomlFile":
        """The file at `path`. Raises BadInputError for what cannot be read, is no TOML, or has an unknown table."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror}: make it readable, or take it away") from None
        try:
            data = tomllib.loads(content.decode())
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise BadInputError(f"{path}, line {line}: not UTF-8: save the file as UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise BadInputError(f"{path}: not TOML: {error}: correct the line it names") from None
        file = cls(path, content, data)
        for key in data:
            if key not in _HEAD:
                line = file.line(rf"\[*{re.escape(key)}\b")
                raise file.error(line, f"unknown table or key {key}", f"use {', '.join(sorted(_HEAD))}")
        return file

    def line(self, pattern: str, occurrence: int = 0, after: int = 0) -> int:
        """Number of the line on which `pattern` starts for the given time, not before line `after`; else `after`."""
        seen = 0
        for number, text in enumerate(self.content.decode().splitlines(), 1):
            if number >= after and re.match(rf"\s*{pattern}", text):
                if seen == occurrence:
                    return number
                seen += 1
        return max(after, 1)

    def error(self, line: int, fault: str, remedy: str) -> BadInputError:
        """The error to raise."""
        return BadInputError(f"{self.path}, line {line}: {fault}: {remedy}")

    def head(self) -> "Entry":
        """The keys at the top of the file."""
        return Entry(self, "", "", self.data, 1)

    def entries(self) -> Iterator["Entry"]:
        """The terms, brands, traps and emoji, table by table."""
        for table in TABLES:
            listed = self.data.get(table, [])
            if not isinstance(listed, list):
                raise self.error(self.line(rf"\[{table}\b"), f"[{table}] is one table", f"write [[{table}]]")
            for number, data in enumerate(listed):
                if not isinstance(data, dict):
                    raise self.error(self.line(rf"{table}\b"), f"{table} is no list of tables", f"write [[{table}]]")
                entry = Entry(self, table, "", data, self.line(rf"\[\[{table}\]\]", number))
                yield entry.checked()

    def named(self, table: str) -> Iterator["Entry"]:
        """The tables [table.NAME]."""
        tables = self.data.get(table, {})
        if not isinstance(tables, dict):
            line = self.line(rf"\[*{table}\b")
            raise self.error(line, f"{table} is no table of named ones", f"write [{table}.NAME]")
        for name, data in tables.items():
            line = self.line(rf"\[{table}\.{re.escape(name)}\]")
            if not isinstance(data, dict):
                raise self.error(line, f"{table}.{name} is no table", f"write [{table}.{name}]")
            entry = Entry(self, table, name, data, line)
            yield entry if table == "products" else entry.checked()


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of a file; its getters raise BadInputError for a value of the wrong kind."""

    file: TomlFile
    table: str
    name: str
    data: Mapping[str, Any]
    line: int

    @property
    def rule(self) -> str:
        """The id by which decisions name this entry: the file's name, a dot, and its own id."""
        own = self.text("id")
        if own is None or not re.fullmatch(r"[a-z0-9-]+", own):
            raise self.error("id", f"bad id {own!r}", "add id = small letters, digits and hyphens")
        return f"{self.file.path.stem}.{own}"

    def named_rule(self, key: str) -> str:
        """The id of a decision by one key of this table."""
        return f"{self.file.path.stem}.{re.sub('[^a-z0-9]+', '-', key.lower()).strip('-')}"

    def checked(self) -> "Entry":
        """This entry, all its keys known."""
        for key in self.data:
            if key not in KEYS[self.table]:
                raise self.error(key, f"unknown key {key}", f"a {self.table} has {', '.join(sorted(KEYS[self.table]))}")
        return self

    def place(self, key: str) -> str:
        """File and line of `key`."""
        return f"{self.file.path}, line {self.at(key)}"

    def at(self, key: str) -> int:
        """The line of `key` in this entry."""
        return self.file.line(rf'"?{re.escape(key)}"?\s*=', after=self.line) if key in self.data else self.line

    def error(self, key: str, fault: str, remedy: str) -> BadInputError:
        """The error to raise about `key`."""
        return self.file.error(self.at(key), fault, remedy)

    def text(self, key: str) -> str | None:
        """A string, or None where there is none."""
        value = self.data.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.error(key, f"{key} is {value!r}", f'write {key} = "text"')
        return value

    def flag(self, key: str) -> bool:
        """A boolean, by default false."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"{key} is {value!r}", f"write {key} = true or leave it out")
        return value

    def integer(self, key: str, default: int, least: int) -> int:
        """A whole number of at least `least`."""
        value = self.data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(key, f"{key} is {value!r}", f"write a whole number, {least} or more")
        return value

    def strings(self, key: str, required: bool = False) -> tuple[str, ...]:
        """A list of strings, or one string of words parted by spaces."""
        value = self.data.get(key, [])
        if isinstance(value, str):
            value = value.split()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f"{key} is no list of strings", f'write {key} = ["one", "two"]')
        if required and not value:
            raise self.error(key, f"{key} is empty", "name at least one")
        return tuple(value)

    def phrases(self, key: str, required: bool = False) -> tuple[str, ...]:
        """A list of phrases in the notation of `drinkstream.tokens.phrases`."""
        listed = self.strings(key, required)
        for item in listed:
            try:
                for phrase in phrases(item):
                    if any("~" in token for token in (*phrase[:-1], phrase[-1][:-1])):
                        raise ValueError("a ~ that does not end it")
            except ValueError as error:
                raise self.error(key, f"{item!r} is no phrase ({error})", "write words, a|b, a? or *") from None
        return listed

    def one_of(self, key: str, allowed: Collection[str]) -> str | None:
        """One of the allowed words, or None where there is none."""
        value = self.text(key)
        if value is not None and value not in allowed:
            raise self.error(key, f"unknown {key} {value!r}", f"use one of {', '.join(sorted(allowed))}")
        return value

    def several_of(self, key: str, allowed: Collection[str], default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Some of the allowed words."""
        if key not in self.data:
            return default
        value = self.strings(key)
        for item in value:
            if item not in allowed:
                raise self.error(key, f"unknown {item!r} in {key}", f"use {', '.join(sorted(allowed))}")
        return value

    def langs(self, key: str = "langs") -> frozenset[str]:
        """Primary language tags."""
        for item in self.strings(key):
            if not _LANG.fullmatch(item):
                raise self.error(key, f"{item!r} is no language", 'write primary tags such as "en" or "id"')
        return frozenset(self.strings(key))

    def affixes(self, key: str, named: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """A list of prefixes or suffixes, or those of a named list ([suffixes.NAME])."""
        value = self.data.get(key)
        if not isinstance(value, str):
            return self.strings(key) or ("",)
        if value not in named:
            raise self.error(key, f"unknown {key} {value!r}", f"use {', '.join(sorted(named))} or a list")
        return named[value]

    def shards(self, categories: Collection[str]) -> dict[str, int]:
        """The shards by category and `*`, 1 where none are given."""
        value = self.data.get("shards", {})
        line = self.file.line(r"\[shards\]")
        if not isinstance(value, dict):
            raise self.file.error(line, "shards is no table", "write [shards] and category = number below it")
        for name, count in value.items():
            at = self.file.line(rf'"?{re.escape(name)}"?\s*=', after=line)
            if name != "*" and name not in categories:
                raise self.file.error(at, f"shards for {name!r}", f"use * or one of {', '.join(categories)}")
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 4096:
                raise self.file.error(at, f"{count!r} shards", "write a whole number from 1 to 4096")
        return {name: value.get(name, 1) for name in ("*", *categories)}
