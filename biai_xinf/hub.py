"""The model hub that Xinference fetches weights from: which one, and whether this machine reaches it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import requests

from biai_xinf.state import Hub

_PATIENCE_S = 3


def hub_from_here() -> Hub:
    """The hub as seen from this machine; one request of at most a few seconds, none where the hub is switched off."""
    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    host = urlsplit(url).hostname or url
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Hub(host, in_reach=False)
    try:
        requests.head(url, timeout=_PATIENCE_S, allow_redirects=False)
    except requests.RequestException:
        return Hub(host, in_reach=False)
    return Hub(host, in_reach=True)
