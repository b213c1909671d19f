"""What the README and its kin say exists, exists; and what exists is said."""

import re
from pathlib import Path

import pytest

from drinkstream.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def targets() -> set[str]:
    """Every target of the Makefile that a person may call."""
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_of_a_page_is_a_target(page: Path):
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) - targets() == set()


def test_the_readme_names_every_target_that_a_user_needs():
    readme = (ROOT / "README.md").read_text()
    said = set(re.findall(r"make ([a-z]+)", readme))
    assert {"up", "test", "down", "status", "logs", "check", "bench", "clean"} <= said


def test_every_page_of_the_docs_can_be_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert {page for page in pages if f"({page})" not in readme} == set()


def test_every_command_is_described_and_no_other():
    """Each is named as it is called."""
    said = {name for page in PAGES for name in re.findall(r"drinkstream\.cli (\w+)", page.read_text())}
    assert said == set(cli.commands)


def test_every_dag_is_described():
    airflow = (ROOT / "docs" / "airflow.md").read_text()
    assert {dag.stem for dag in (ROOT / "dags").glob("*.py") if dag.stem not in airflow} == set()
