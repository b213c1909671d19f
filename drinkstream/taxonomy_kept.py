"""The taxonomy's files as they are kept with a meaning version, so that an old number can be explained by its rules."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from drinkstream.cells import ANY
from drinkstream.meaning import sources
from drinkstream.taxonomy import Taxonomy, load


@cache
def installed() -> Mapping[str, str]:
    """The text of each file of the installed taxonomy, as first read, by its path in the package: taxonomy/brands.toml.

    A process that goes by one meaning version reads them when it does that (`meaning.version`): they may be edited.
    """
    package = files("drinkstream")
    texts = {path: package.joinpath(path).read_text("utf-8") for path in sources() if path.endswith(".toml")}
    return MappingProxyType(texts)


def categories(kept: Mapping[str, str]) -> tuple[str, ...]:
    """The categories of a taxonomy in files as `installed` gives them; none where its head was not kept."""
    return tuple(tomllib.loads(kept.get("taxonomy.toml", "")).get("categories", ()))


def counted_in(*versions: Mapping[str, str]) -> tuple[str, ...]:
    """'*' and the categories in which a post may count by the installed taxonomy, or by one of these: it had others."""
    return (ANY, *dict.fromkeys((*load().categories, *(one for kept in versions for one in categories(kept)))))


def restored(kept: Mapping[str, str]) -> Taxonomy:
    """The taxonomy in files as `installed` gives them. Raises BadInputError where the present code cannot read it."""
    with TemporaryDirectory(prefix="drinkstream-taxonomy-") as folder:
        for path, text in kept.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8", newline="")
        return load(Path(folder, "taxonomy.toml"))
