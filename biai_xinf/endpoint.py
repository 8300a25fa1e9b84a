"""Where Xinference is: the address as people write it, as we keep it, and which proxy leads there."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import urlsplit, urlunsplit

from requests.utils import get_environ_proxies

from biai_xinf.errors import Unreachable


def parse_endpoint(text: str) -> str:
    """`http://host:port` as we keep it: no slash at the end, no `/v1`; Unreachable if it is none."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Unreachable(f"`{text}` is no endpoint", hint=_HINT) from None
    if "@" in parts.netloc:
        raise Unreachable("the endpoint holds a username or password", hint=_SECRET_HINT)
    if not usable or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\\]", text):
        raise Unreachable(f"`{text}` is no endpoint", hint=_HINT)
    # Servers print 0.0.0.0 as their address; on Windows nothing can connect to it.
    netloc = re.sub(r"^0\.0\.0\.0(?=:|$)", "127.0.0.1", parts.netloc)
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return urlunsplit((parts.scheme, netloc.lower(), path, "", ""))


_HINT = "write it as `http://127.0.0.1:9997`"
_SECRET_HINT = "leave them out; set BIAI_XINF_USERNAME and BIAI_XINF_PASSWORD instead"


def proxies_to(endpoint: str) -> dict[str, str]:
    """The environment's proxies (HTTP_PROXY, NO_PROXY); none for this machine itself."""
    return {} if is_loopback(endpoint) else dict(get_environ_proxies(endpoint))


def ca_bundle() -> str | None:
    """The certificates that the environment names to be trusted, as `requests` reads it; None where it names none."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is on this machine."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
