"""What the fake Xinference keeps for the launch forms of its Web UI, of one user."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]
_AUTOSTART = {"autostart_priority": 100, "autostart_max_retries": 3, "autostart_retry_interval_seconds": 30}
_TIMES = dict.fromkeys(("created_at", "updated_at"), "2026-11-27T12:00:00Z")


@dataclass
class FakeLaunchHistory:
    """Entries by model name and uid, the newest last; `autostart` are those that Xinference launches by itself.

    `fails_with` is what every request for it is answered, as a 500.
    """

    entries: dict[tuple[str, str], Body] = field(default_factory=dict)
    autostart: set[tuple[str, str]] = field(default_factory=set)
    fails_with: str | None = None

    def told(self, model_name: str | None = None) -> list[Body]:
        """As GET answers, the newest first."""
        found = [(key, entry) for key, entry in self.entries.items() if model_name in (None, key[0])]
        return [
            {
                "id": number,
                "model_name": name,
                "model_uid": uid,
                **entry,
                "autostart_enabled": (name, uid) in self.autostart,
                **_AUTOSTART,
                "created_by": "",
                "updated_by": "",
                **_TIMES,
                "is_owner": True,
            }
            for number, ((name, uid), entry) in reversed(list(enumerate(found, start=1)))
        ]

    def keep(self, body: Body) -> None:
        """As POST does: in place of what was kept of that uid; what is said of no `ui_data` leaves it as it was."""
        key = body["model_name"], body.get("model_uid", "")
        before = self.entries.pop(key, {"ui_data": {}})
        ui_data = before["ui_data"] if body.get("ui_data") is None else body["ui_data"]
        self.entries[key] = {"data": json.loads(json.dumps(body.get("data", {}))), "ui_data": ui_data}
