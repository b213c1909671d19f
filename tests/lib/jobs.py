"""Jobs with settings of a test's own: as Airflow calls them, or within this process, which has imported them once."""

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from subprocess import CompletedProcess

import pytest

from drinkstream.settings import ROOT, Settings
from tests.lib.programs import environment


def run(module: str, settings: Settings, *arguments: str) -> CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS`."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


def called(module: str, settings: Settings, *arguments: str) -> CompletedProcess[str]:
    """As `run`, a second sooner: its `main` is called here. What it does not mean to raise is raised."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        code = import_module(module).main(list(arguments))
    return CompletedProcess([module, *arguments], code, out.getvalue(), err.getvalue())
