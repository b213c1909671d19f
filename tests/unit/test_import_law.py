"""Who may import whom: the table of the architecture, read from the source and enforced."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"drinkstream", "streaming", "jobs", "dags", "webapp", "stack"}

EDGES = {
    **{"spark": {"pyspark"}, "spark_daemon": {"pyspark"}, "store": {"cassandra"}},
    **{edge: {"deltalake"} for edge in ("archive", "archive_change", "archive_files")},
}
"""The edges of `drinkstream`, and what only they may import."""

FORBIDDEN = {
    "drinkstream": {"streaming", "jobs", "dags", "webapp", "stack", "airflow", "flask", "kafka", "tweepy"},
    "streaming": {"jobs", "dags", "webapp", "stack", "airflow", "flask"},
    "jobs": {"streaming", "dags", "webapp", "stack", "airflow", "flask", "kafka", "tweepy"},
    "webapp": {"pyspark", "kafka", "streaming", "jobs", "dags", "stack", "airflow", "tweepy"},
    "dags": {"streaming", "jobs", "webapp", "stack", "pyspark", "kafka", "cassandra", "deltalake", "flask", "tweepy"},
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_what_its_layer_may(package: str):
    broken = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        if path != ROOT / "drinkstream" / "cli.py"
        for name in imported(path)
        if name.split(".")[0] in FORBIDDEN[package]
    }
    assert broken == set()


def test_the_edges_of_drinkstream_keep_their_libraries_to_themselves():
    guarded = {
        library: {e for e in EDGES if library in EDGES[e]} for libraries in EDGES.values() for library in libraries
    }
    broken = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("drinkstream")
        if path != ROOT / "drinkstream" / "cli.py"
        for name in imported(path)
        if (edges := guarded.get(name.split(".")[0]))
        and edges.isdisjoint({path.relative_to(ROOT / "drinkstream").parts[0], path.stem})
    }  # fmt: skip
    assert broken == set()


def test_nothing_imports_the_command_line():
    importers = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in modules(package)
        if any(name.startswith("drinkstream.cli") for name in imported(path))
    }
    assert importers == set()


def test_the_web_never_touches_spark_even_through_drinkstream():
    broken = {
        str(path.relative_to(ROOT))
        for path in modules("webapp")
        if any(name.startswith("drinkstream.spark") for name in imported(path))
    }
    assert broken == set()


@pytest.mark.parametrize("sender", ["collect", "replay"])
def test_what_sends_posts_to_kafka_carries_no_arrow(sender: str):
    loaded = f"import sys, streaming.{sender}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"msgspec", "kafka"} <= set(done.stdout.split())
    assert {"pyarrow", "numpy"}.isdisjoint(done.stdout.split())
