"""The HTTP proxies that the environment names, as programs and Java take them: none leads to this machine's servers."""

from urllib.parse import urlsplit
from urllib.request import getproxies

from drinkstream.settings import Settings

EVERYWHERE = "*"


def variables(settings: Settings) -> dict[str, str]:
    """The variables with which a program asks our own servers without a proxy, and others as the environment says."""
    named = getproxies().get("no", "")
    hosts = named if named == EVERYWHERE else ",".join(filter(None, (named, settings.host)))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def java_options() -> list[str]:
    """Java's options that say the same to it, which reads no such variables."""
    named = getproxies()
    if named.get("no") == EVERYWHERE:
        return []
    options = []
    for scheme in ("http", "https"):
        if proxy := named.get(scheme):
            address = urlsplit(proxy if "://" in proxy else f"//{proxy}")
            options += [f"-D{scheme}.proxyHost={address.hostname}", f"-D{scheme}.proxyPort={address.port or 80}"]
    hosts = [host.strip().lstrip("*.") for host in named.get("no", "").split(",")]
    if without := "|".join(f"{host}|*.{host}" for host in hosts if host):
        options.append(f"-Dhttp.nonProxyHosts={without}")
    return options
