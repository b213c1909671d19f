"""The Python environments of the peers: their packages, and the product's, below the bench's home, never in `.venv`."""

import hashlib
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import click

from bench.peers import jvm
from drinkstream.errors import UnavailableError
from drinkstream.settings import ROOT
from stack.jars import read_sums

LOCK = ROOT / "bench" / "peers.lock"
QUIX = ROOT / "bench" / "quix.lock"
PATHWAY = ROOT / "bench" / "pathway.lock"
"""Those of the peers that need older versions than the product has: an environment of its own for each."""

PACKAGES = {
    LOCK: ("aiokafka", "chdb", "confluent-kafka", "duckdb", "polars"),
    QUIX: ("quixstreams",),
    PATHWAY: ("pathway",),
}
PEER_JARS = ("flink-streaming-java", "flink-connector-kafka", "kafka-streams")
"""What is measured of each environment, and of the jars; the rest is what it needs."""


def python(home: Path, lock: Path = LOCK) -> str:
    """The interpreter that has a lock's packages and, after them, the product's; installed where it is not there.

    Raises UnavailableError where that cannot be.
    """
    folder = home / lock.stem
    interpreter = folder / "bin" / "python"
    mark = folder / f".installed-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if mark.is_file():
        return str(interpreter)
    click.echo(f"peers: those of {lock.name} into {folder}")
    pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", str(lock)], check=True)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(
            f"the peers' packages are not all installed ({error}), see above: run it again, or measure with --no-peers"
        ) from None
    (site,) = folder.glob("lib/python*/site-packages")
    # behind its own packages, so that a peer keeps the versions that it was locked with
    (site / "product.pth").write_text(sysconfig.get_path("purelib") + "\n")
    mark.touch()
    return str(interpreter)


def versions() -> dict[str, str]:
    """The versions of the peers, by package and by jar, as locks and sums name them: others are not installed."""
    jars = " ".join(read_sums(jvm.JARS.sums))
    found = {name: re.findall(rf"/{name}-(\d\S*)\.jar", jars) for name in PEER_JARS}
    for lock, packages in PACKAGES.items():
        found |= {name: re.findall(rf"^{name}==(\S+)", lock.read_text(), re.MULTILINE) for name in packages}
    return {name: version for name, (version,) in found.items()}
