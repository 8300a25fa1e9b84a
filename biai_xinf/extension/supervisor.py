"""How the supervisor runs, told by the process that serves its API: both have one host and one environment."""

from __future__ import annotations

import os
from typing import Any

from biai_xinf.local_server import LAUNCHED


def supervisor_facts() -> dict[str, Any]:
    """`{"cpus", "launched", "health_check": {"interval", "timeout", "threshold", "enabled"}}`.

    `launched` is the role in which our launcher started it, None where something else did; times are in seconds.
    """
    from xinference import constants

    return {
        "cpus": os.cpu_count(),
        "launched": os.environ.get(LAUNCHED),
        "health_check": {
            "interval": constants.XINFERENCE_HEALTH_CHECK_INTERVAL,
            "timeout": constants.XINFERENCE_HEALTH_CHECK_TIMEOUT,
            "threshold": constants.XINFERENCE_HEALTH_CHECK_FAILURE_THRESHOLD,
            "enabled": not constants.XINFERENCE_DISABLE_HEALTH_CHECK,
        },
    }
