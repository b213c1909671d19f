"""The file of figures, row by row, and whether a row in it still stands: same code, same sizes, same machine."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from drinkstream.settings import ROOT

CODE = ("drinkstream", "streaming", "jobs", "webapp", "dags", "stack", "bench")
"""What decides a figure, with requirements.lock: a change of any of it makes every kept figure one of other code."""

ENDINGS = {".py", ".toml", ".cql", ".xml", ".html", ".js", ".sha256", ".lock", ".java"}
PACKAGES = ("pyspark", "pyarrow", "kafka-python", "cassandra-driver", "deltalake", "hyperscan", "msgspec", "numpy")
JARS = ("kafka-server", "cassandra-all", "spark-sql-kafka-0-10_2.13", "delta-spark_4.2_2.13")


class Kept:
    """The figures of earlier calls. Each `put` is safe on disk before it returns."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}

    def stands(self, row: str, marks: Mapping[str, Any]) -> bool:
        """Whether a row and its peers were measured, rightly, under these marks."""
        entry = self._rows.get(row, {})
        right = bool(entry.get("correct")) and all(peer["correct"] for peer in entry.get("peers", {}).values())
        return right and all(entry.get(name) == mark for name, mark in marks.items())

    def get(self, row: str) -> dict[str, Any]:
        """A row's entry. Raises KeyError where it was never measured."""
        return dict(self._rows[row])

    def put(self, row: str, entry: Mapping[str, Any]) -> None:
        """Keeps a row, in place of its earlier figures."""
        self._rows[row] = entry
        self._file.parent.mkdir(parents=True, exist_ok=True)
        aside = self._file.with_suffix(".new")
        aside.write_text(json.dumps(self._rows, indent=2) + "\n")
        aside.replace(self._file)


def code(root: Path = ROOT) -> str:
    """A hash over everything that decides a figure."""
    digest = hashlib.sha256()
    files = [path for package in CODE for path in (root / package).rglob("*") if path.suffix in ENDINGS]
    for path in sorted([*files, root / "requirements.lock"]):
        digest.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def machine(cores: int) -> dict[str, Any]:
    """What the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": cores,
        "cores_of_machine": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
    }


def versions(jars: Path) -> dict[str, str]:
    """Of what ran: Python, Java, the packages and the servers."""
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    found = {"python": platform.python_version(), "java": java}
    for package in PACKAGES:
        found[package] = version(package)
    for name in JARS:
        for path in sorted(jars.glob(f"*/{name}-[0-9]*.jar")):
            found[name] = path.stem.removeprefix(f"{name}-")
    return found
