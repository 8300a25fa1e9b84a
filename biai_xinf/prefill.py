"""Fill in the launch form of Xinference's Web UI, so that an admin who opens it finds what we would launch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from biai_xinf.client import Client
from biai_xinf.state import Launch

# Objects that the form of Xinference 4.1's Web UI has fields for. It shows any other value as text.
_FORM_OBJECTS = frozenset({"envs", "replica_config", "gpu_idx"})
# Everyone who may list models can read what is kept there.
_SECRET = re.compile("TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


def prefill(client: Client, launch: Launch) -> bool:
    """Make a launch what the form of its model is filled with; XinferenceError says why that did not work.

    The form takes the newest of the model's entries that belong to the user who looks. False where Xinference starts
    the uid by itself (autostart): what is kept of it stays, for it is what will be started.
    """
    name = str(launch.body["model_name"])
    kept = client.launch_history(name)
    if any(entry.autostart_enabled and entry.model_uid == launch.uid for entry in kept):
        return False
    client.record_launch(name, launch.uid, form_values(launch.body))
    return True


def form_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a launch as the form can hold it, without secrets.

    Objects that it has no field for go as JSON: Xinference 4.1's vLLM engine reads both (`parse_str_field_to_dict`).
    """
    values = {
        key: json.dumps(value) if isinstance(value, dict | list) and key not in _FORM_OBJECTS else value
        for key, value in body.items()
        # The form reads `n_gpu` without a value as CPU; another option it would send as the text "null".
        if value is not None or key == "n_gpu"
    }
    envs = {name: value for name, value in body.get("envs", {}).items() if not _SECRET.search(name)}
    return values | {"envs": envs} if envs else {key: value for key, value in values.items() if key != "envs"}
