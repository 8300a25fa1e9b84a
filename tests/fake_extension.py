"""The fake Xinference's extension: upstreams, what launches proved, and upstreams in Xinference's own lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from biai_xinf.upstreams import ServedModel, Upstream, UpstreamServer

Body = dict[str, Any]
ABILITIES = {"LLM": ["chat", "generate"], "embedding": ["embed"], "rerank": ["rerank"]}


class Refused(Exception):
    """An error in OpenAI's shape."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        kind = "invalid_request_error" if status == 400 else "not_found_error"
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": None}}


class FakeExtension:
    """`failing` holds, by a server's URL, why it does not answer; `served` what launches proved.

    `facts` is asked for what the workers say of their machines, by address, as the real `/biai/status` tells it.
    """

    def __init__(self) -> None:
        self.version = "0.0.1"
        self.upstreams: dict[str, Upstream] = {}
        self.served: dict[str, ServedModel] = {}
        self.failing: dict[str, str] = {}
        self.natives: Callable[[], list[str]] = list
        self.facts: Callable[[], dict[str, Body]] = dict
        # Workers that do not answer, though Xinference has not noticed.
        self.dead: set[str] = set()
        self.lose_worker: Callable[[str], None] = lambda _: None
        self.supervisor: Body = {
            "cpus": 8,
            "launched": "supervisor",
            "health_check": {"interval": 2, "timeout": 6, "threshold": 3, "enabled": True},
        }
        # What the endpoint tells of models, beside those that were proved and do not run.
        self.told: list[Body] = []

    def model_entries(self) -> list[Body]:
        return [self.model_entry(upstream) for upstream in self.upstreams.values()]

    def model_entry(self, upstream: Upstream) -> Body:
        first = upstream.servers[0]
        return {
            "id": upstream.name,
            "object": "model",
            "created": 0,
            "owned_by": first.provider,
            "model_type": upstream.model_type,
            "model_name": upstream.name,
            "model_engine": "upstream",
            "model_format": None,
            "model_size_in_billions": None,
            "quantization": None,
            "model_ability": ABILITIES[upstream.model_type],
            "model_lang": [],
            "context_length": upstream.context,
            "replica": len(upstream.servers),
            "address": urlsplit(first.url).netloc,
            "accelerators": [],
            "upstream": upstream.model_dump(mode="json", exclude={"name"}),
        }

    def instance_entries(self) -> list[Body]:
        return [self._instance(upstream) for upstream in self.upstreams.values()]

    def _instance(self, upstream: Upstream) -> Body:
        replicas = self.replica_entries(upstream)
        told = {"model_name": upstream.name, "model_uid": upstream.name, "model_version": None}
        told |= {"model_ability": ABILITIES[upstream.model_type], "replica": len(replicas), "n_worker": 1}
        ready = any(replica["status"] == "READY" for replica in replicas)
        return told | {
            "status": "READY" if ready else "ERROR",
            "instance_created_ts": 0,
            "replica_statuses": replicas,
        }

    def replica_entries(self, upstream: Upstream) -> list[Body]:
        entries = []
        for index, server in enumerate(upstream.servers):
            reason = self.failing.get(server.url)
            state = {"status": "ERROR" if reason else "READY", "model_state": "error" if reason else "ready"}
            told = {"replica_id": index, "replica_model_uid": f"{upstream.name}-{index}", **state}
            where = {"worker_address": urlsplit(server.url).netloc, "replica_uid": None, "gpu_idx": None}
            entries.append({**told, **where, "created_ts": 0, "error_message": reason})
        return entries

    # Handlers, as the fake Xinference's own

    def get_version(self) -> Body:
        return {"biai_xinf": self.version, "xinference": "4.1.0"}

    def get_upstreams(self) -> Body:
        return {"upstreams": [self._told(upstream) for upstream in self.upstreams.values()]}

    def put_upstream(self, name: str, body: Body) -> Body:
        upstream = _read(Upstream, {**body, "name": name})
        if name in self.natives():
            raise Refused(409, f"Xinference itself runs a model `{name}`; stop it first, or choose another name")
        self.upstreams[name] = upstream
        return dict(upstream.model_dump(mode="json"))

    def delete_upstream(self, name: str) -> Body:
        if self.upstreams.pop(name, None) is None:
            raise Refused(404, f"no upstream is called `{name}`")
        return {"removed": name}

    def delete_worker(self, address: str) -> Body:
        if address not in self.facts():
            raise Refused(404, f"no worker is at `{address}`")
        if address not in self.dead:
            raise Refused(409, f"the worker at `{address}` answers")
        self.lose_worker(address)
        return {"removed": address}

    def put_served(self, uid: str, body: Body) -> Body:
        self.served[uid] = _read(ServedModel, {**body, "uid": uid})
        return dict(self.served[uid].model_dump(mode="json"))

    def delete_served(self, uid: str) -> Body:
        if self.served.pop(uid, None) is None:
            raise Refused(404, f"nothing was told of a model `{uid}`")
        return {"removed": uid}

    def get_status(self) -> Body:
        workers = [{"address": address, "facts": facts} for address, facts in self.facts().items()]
        gone = [
            {"uid": uid, "kind": "native", "state": "stopped", "spec": model.spec, "targets": []}
            for uid, model in self.served.items()
            if uid not in self.natives()
        ]
        told = {"now": "2026-11-22T20:00:00Z", "roles": [], "models": [*gone, *self.told], "workers": workers}
        return {**told, "supervisor": self.supervisor}

    def _told(self, upstream: Upstream) -> Body:
        return {**upstream.model_dump(mode="json"), "health": [self._health(server) for server in upstream.servers]}

    def _health(self, server: UpstreamServer) -> Body:
        reason = self.failing.get(server.url)
        told = {"url": server.url, "model": server.model, "in_flight": 0, "since": "2026-11-22T12:00:00+00:00"}
        return {**told, "state": "failing" if reason else "ok", "reason": reason}


NAME, UID = "(?P<name>[^/]+)", "(?P<uid>[^/]+)"
EXTENSION_ROUTES: list[tuple[str, str, str | None, Callable[..., Any]]] = [
    ("GET", "/biai/version", None, FakeExtension.get_version),
    ("GET", "/biai/upstreams", "models:list", FakeExtension.get_upstreams),
    ("PUT", f"/biai/upstreams/{NAME}", "admin", FakeExtension.put_upstream),
    ("DELETE", f"/biai/upstreams/{NAME}", "admin", FakeExtension.delete_upstream),
    ("DELETE", "/biai/workers/(?P<address>[^/]+)", "admin", FakeExtension.delete_worker),
    ("PUT", f"/biai/models/{UID}", "models:write", FakeExtension.put_served),
    ("DELETE", f"/biai/models/{UID}", "models:write", FakeExtension.delete_served),
    ("GET", "/biai/status", "models:list", FakeExtension.get_status),
]


def _read(kind: Any, content: Body) -> Any:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise Refused(400, f"{where}: {message}" if where else message, param=where or None) from None
