"""The environment that every program of the stack runs in, whatever shell started it."""

import os
import sys
from pathlib import Path

from pydantic import SecretStr

from drinkstream.errors import UnavailableError
from drinkstream.settings import PREFIX, ROOT, Settings
from stack import java, proxies

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "TZ", "USER")
_PASSED_ON_PREFIXES = ("SSL_", "REQUESTS_", "CURL_", "HTTP_PROXY", "HTTPS_PROXY", "http_", "https_")


def environment(settings: Settings) -> dict[str, str]:
    """What every program runs with: these settings, this Python first, and little else of the calling shell."""
    given = {k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIXES)}
    java_home = java.home()
    if java_home is None:
        raise UnavailableError(java.MISSING)
    path = (str(Path(sys.executable).parent), str(java_home / "bin"), given.get("PATH", "/usr/local/bin:/usr/bin:/bin"))
    return {
        **given,
        **variables(settings),
        **proxies.variables(settings),
        "PATH": ":".join(path),
        "JAVA_HOME": str(java_home),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": settings.host,  # else Spark listens on whatever address the machine's name has
        "TMPDIR": str(settings.scratch),
    }


def variables(settings: Settings) -> dict[str, str]:
    """The `DRINKSTREAM_*` variables that make these settings, secrets in clear: for an environment, never for a log."""
    given: dict[str, object] = {"home": settings.home, "jars": settings.jar_folder}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != field.default:
            given[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return {PREFIX + name.upper(): str(value) for name, value in given.items()}
