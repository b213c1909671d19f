"""The taxonomy's files as they are kept with a meaning version, so that an old number can be explained by its rules."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from drinkstream.meaning import sources
from drinkstream.taxonomy import Taxonomy, load


def installed() -> dict[str, str]:
    """The text of each file of the installed taxonomy by its path in the package, 'taxonomy/brands.toml'."""
    package = files("drinkstream")
    return {path: package.joinpath(path).read_text("utf-8") for path in sources() if path.endswith(".toml")}


def restored(kept: Mapping[str, str]) -> Taxonomy:
    """The taxonomy in files as `installed` gives them. Raises BadInputError where the present code cannot read it."""
    with TemporaryDirectory(prefix="drinkstream-taxonomy-") as folder:
        for path, text in kept.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8", newline="")
        return load(Path(folder, "taxonomy.toml"))
