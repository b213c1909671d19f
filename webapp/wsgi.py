"""The application as its server runs it: `granian --interface wsgi --factory webapp.wsgi:application`."""

import gc
import sys

from flask import Flask

from webapp import create_app
from webapp.serving import serving

SWITCH_S = 0.001
"""How long the thread that reads the store may keep the interpreter while a request waits for it."""


def application() -> Flask:
    """The application of a process that does nothing else."""
    app = create_app()
    sys.setswitchinterval(SWITCH_S)
    serving(app).view.settled = keep
    return app


def keep() -> None:
    """Leaves what was read at the start out of every later search for garbage.

    It stays as long as the process, and to walk through it again and again takes tenths of a second, in which no
    request is answered.
    """
    gc.collect()
    gc.freeze()
