"""docs/settings.md and the settings themselves say the same."""

import re
from pathlib import Path

from drinkstream.settings import PREFIX, ROOT, Settings

PAGE = ROOT / "docs" / "settings.md"
ROW = re.compile(r"^\| `(DRINKSTREAM_\w+)` \| (.*?) \| (.*) \|$", re.M)


def shown(default: object) -> str:
    """A default as the page shows it: none where there is none, paths below the repository from there."""
    if default is None or default == "":
        return "none"
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    return f"`{default}`"


def test_every_setting_is_described_with_its_default_and_nothing_else_is() -> None:
    """One row for each setting, in the same order, with its default and its description; no row for anything else."""
    rows = [(variable, default, meaning) for variable, default, meaning in ROW.findall(PAGE.read_text())]
    fields = Settings.model_fields.items()
    assert rows == [(PREFIX + name.upper(), shown(field.default), field.description) for name, field in fields]


def test_every_variable_that_a_page_names_is_a_setting() -> None:
    """No page speaks of a DRINKSTREAM_ variable that does not exist."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "FILE"}
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
    named = {(page.name, word) for page in pages for word in re.findall(r"DRINKSTREAM_[A-Z_]+[A-Z]", page.read_text())}
    assert {(page, word) for page, word in named if word not in known and word != "DRINKSTREAM_X"} == set()
