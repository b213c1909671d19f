"""The jars of ivy.xml, downloaded by the Ivy inside pyspark, one folder for each class path, checked by SHA-256."""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import ROOT, Settings
from stack import java, proxies
from stack.home import claim

HERE = Path(__file__).resolve().parent
DESCRIPTOR = HERE / "ivy.xml"
SUMS = HERE / "jars.sha256"
FOLDERS = ("kafka", "cassandra", "spark", "web")
CHARTS = "web/echarts.min.js"


@dataclass(frozen=True, slots=True)
class JarList:
    """Jars that an Ivy descriptor names, a folder for each of its configurations, and the sums that they must have."""

    descriptor: Path
    sums: Path
    folders: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of what is wanted."""
        return hashlib.sha256(self.descriptor.read_bytes() + self.sums.read_bytes()).hexdigest()[:16]

    @property
    def committed(self) -> str:
        """The file of the sums, as messages name it."""
        return str(self.sums.relative_to(ROOT))


STACK = JarList(DESCRIPTOR, SUMS, FOLDERS)

_GOT = re.compile(r"\[SUCCESSFUL \] (?P<org>\S+?)#(?P<name>\S+?);(?P<rev>\S+?)!(?P<file>\S+)")
_FAULT = re.compile(r"^\s*(?:::|\[FAILED\s*\])\s*(?P<what>\S+#\S+;\S+)")


def main(argv: list[str] | None = None) -> int:
    """Download what is missing. With --write-sums the sums of what came are written instead of checked."""
    parser = argparse.ArgumentParser(prog="python -m stack.jars", description=main.__doc__)
    parser.add_argument("--write-sums", action="store_true", help="after a change of ivy.xml: write stack/jars.sha256")
    options = parser.parse_args(argv)
    try:
        settings = Settings.load()
        if options.write_sums:
            write_sums(settings, settings.jar_folder, STACK, _extract_charts)
        else:
            fetch(settings)
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def fetch(settings: Settings) -> Path:
    """The folder of the checked jars, downloaded where this descriptor's are not there yet.

    Raises BadInputError where `home` is somebody else's, UnavailableError naming each artifact that did not come (the
    next call goes on from what did), and DrinkStreamError where a file is not the one that was committed to.
    """
    check_python_packages()
    claim(settings)
    complete(settings, settings.jar_folder, STACK, _extract_charts)
    _install_charts(settings)
    return settings.jar_folder


def complete(settings: Settings, folder: Path, listed: JarList, then: Callable[[Path], None] | None = None) -> None:
    """Makes `folder` hold the listed jars, checked, and what `then` makes of them; nothing where it does already.

    Raises as `fetch` does.
    """
    if java.home() is None:
        raise UnavailableError(java.MISSING)
    done = folder / f".done-{listed.fingerprint}"
    if done.is_file():
        return
    with _lock(folder):
        if done.is_file():
            return
        wanted = read_sums(listed.sums)
        _retrieve(settings, folder, listed, sum(name.endswith(".jar") for name in wanted))
        if then is not None:
            then(folder)
        verify(folder, wanted, listed)
        for old in folder.glob(".done-*"):
            old.unlink()
        done.touch()
        shutil.rmtree(folder / ".ivy", ignore_errors=True)  # a second copy of every jar
        print(f"jars: {len(wanted)} files in {folder}, all as committed to in {listed.committed}", flush=True)


def check_python_packages() -> None:
    """Raise DrinkStreamError unless pyspark is of the connector's version and nothing has overwritten it."""
    connector = re.search(r'name="spark-sql-kafka[^"]*" rev="([^"]+)"', DESCRIPTOR.read_text())
    if connector is None or version("pyspark") != connector.group(1):
        raise DrinkStreamError(
            f"pyspark {version('pyspark')} and the Kafka connector {connector and connector.group(1)} must be of one "
            "version: set the same in requirements.in and stack/ivy.xml"
        )
    try:
        version("pyspark-client")
    except PackageNotFoundError:
        return
    raise DrinkStreamError("pyspark-client is installed and has overwritten pyspark: remove .venv, then `make install`")


def read_sums(sums: Path = SUMS) -> dict[str, str]:
    """{path below the jar folder: SHA-256 in hex} as committed."""
    pairs = (line.split() for line in sums.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def verify(folder: Path, wanted: dict[str, str], listed: JarList = STACK) -> None:
    """Raise DrinkStreamError unless `folder` holds exactly the wanted files with exactly these sums."""
    there = {str(p.relative_to(folder)): p for name in listed.folders for p in (folder / name).glob("*")}
    for name in sorted(set(there) - set(wanted)):  # of an older descriptor
        there.pop(name).unlink()
    if missing := sorted(set(wanted) - set(there)):
        raise UnavailableError(f"not downloaded: {', '.join(missing)}. Run it again, it goes on from here")
    if wrong := [name for name in sorted(wanted) if sha256(there[name]) != wanted[name]]:
        for name in wrong:
            there[name].unlink()
        shutil.rmtree(folder / ".ivy", ignore_errors=True)
        raise DrinkStreamError(
            f"not the file that {listed.committed} has the sum of: {', '.join(wrong)}. Removed; run it again, and if "
            "it comes back the same, find out why before you trust it"
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(settings: Settings, folder: Path, listed: JarList, then: Callable[[Path], None] | None = None) -> None:
    """Download by the descriptor as it stands and write the sums of what came, for review and commit."""
    with _lock(folder):
        for name in listed.folders:
            shutil.rmtree(folder / name, ignore_errors=True)
        _retrieve(settings, folder, listed, 0)
        if then is not None:
            then(folder)
        came = (p for name in listed.folders for p in sorted((folder / name).glob("*")))
        listed.sums.write_text("".join(f"{sha256(p)}  {p.relative_to(folder)}\n" for p in came))


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder for one downloader; a second one waits and then finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _retrieve(settings: Settings, folder: Path, listed: JarList, expected: int) -> None:
    """Let Ivy resolve and copy; one line of progress for each jar that comes."""
    import pyspark

    ivy = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    mirror = ["-settings", str(settings.ivy_settings)] if settings.ivy_settings else []
    command = [
        *(
            f"{java.home()}/bin/java",
            *proxies.java_options(),
            "-jar",
            str(ivy),
            *mirror,
            "-ivy",
            str(listed.descriptor),
            "-cache",
            str(folder / ".ivy"),
        ),
        *("-confs", *listed.folders, "-types", "jar", "bundle"),
        *("-retrieve", f"{folder}/[conf]/[artifact](-[classifier])-[revision].[ext]"),
    ]
    print(
        f"jars: Ivy looks up what {listed.descriptor.relative_to(ROOT)} names, into {folder} "
        "(a minute or two the first time)",
        flush=True,
    )
    faults: dict[str, None] = {}
    said: list[str] = []
    got = looked_up = 0
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT
    ) as ivy_run:
        for line in ivy_run.stdout or ():
            said.append(line)
            if found := _GOT.search(line):
                if found["file"].endswith(".pom.original"):
                    looked_up += 1
                else:
                    got += 1
                    _progress(f"jars: {got} of {expected or '?'}  {found['name']} {found['rev']}")
            elif "\tfound " in line:
                looked_up += 1
                _progress(f"jars: {looked_up} looked up")
            elif fault := _FAULT.match(line):
                faults[fault["what"].rstrip(":")] = None
    _progress("")
    if ivy_run.returncode != 0 or faults:
        named = ", ".join(faults) or "".join(said[-15:])
        raise UnavailableError(
            f"not downloaded from Maven Central: {named}. Run it again, it goes on from here; a proxy is named by "
            "https_proxy, a mirror by an Ivy settings file in DRINKSTREAM_IVY_SETTINGS"
        )


def _progress(text: str) -> None:
    """One line that overwrites itself at a terminal; plain lines, fewer of them, elsewhere."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}" if text else "\r", end="" if text else "\n", flush=True)
    elif text and (" of " in text or text.endswith("0 looked up")):
        print(text, flush=True)


def _extract_charts(folder: Path) -> None:
    """Take the one script that the page serves out of its WebJar."""
    jar = max((folder / "web").glob("echarts-*.jar"))
    with zipfile.ZipFile(jar) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/echarts.min.js"))
        (folder / CHARTS).write_bytes(archive.read(name))


def _install_charts(settings: Settings) -> None:
    """Put the script where the web serves it from: `<home>/web/echarts.min.js`."""
    target = settings.home / CHARTS
    if not target.is_file() or sha256(target) != read_sums()[CHARTS]:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(settings.jar_folder / CHARTS, aside)
        aside.rename(target)


if __name__ == "__main__":
    sys.exit(main())
