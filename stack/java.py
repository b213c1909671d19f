"""The Java 17 that every Java program here runs on. Standard library only: it is asked before anything is installed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

MISSING = """Java 17 is missing. Install it, then run the same command again:
  Debian 12, Ubuntu:     sudo apt-get install -y openjdk-17-jre-headless
  Fedora, RHEL, Alma:    sudo dnf install -y java-17-openjdk-headless
  elsewhere:             any JDK or full JRE 17, with JAVA_HOME set to its folder
(Another version will not do: Cassandra 5.0 runs on 11 and 17, Spark 4.2 on 17 and later.)"""


def home() -> Path | None:
    """The folder of a Java 17: of JAVA_HOME, else of `java` on PATH, else where Linux distributions put it."""
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if (found := shutil.which("java")) is not None:
        candidates.append(Path(found).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*17*"))
    return next((folder for folder in candidates if _major(folder / "bin" / "java") == 17), None)


def _major(java: Path) -> int | None:
    if not os.access(java, os.X_OK):
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return int(version.group(1)) if version else None
