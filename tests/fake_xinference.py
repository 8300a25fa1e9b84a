"""A small Xinference 4.1 on a real socket: status codes, bodies and bad habits as recorded from the real one.

`tests/contract` runs the same tests on this and on the real server, so that this one cannot drift.

    with FakeXinference(workers=[FakeWorker(gpus=[FakeGpu("H200", 141 * GIB)])]) as fake:
        fake.engines["LLM", "qwen2.5-instruct"] = {"vLLM": [option("awq", 14, "Int4")]}
        fake.launches["sql-coder"] = Launching(looks=3)
        fake.chat["sql-coder"] = lambda body: "SELECT 1"
        Client(fake.endpoint)...
        assert fake.mutating_calls == [("POST", "/v1/models")]
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fake_auth import FakeAuth
from tests.fake_extension import EXTENSION_ROUTES, FakeExtension, Refused
from tests.fake_launch_history import FakeLaunchHistory

GIB = 2**30
NOISE = "[address=127.0.0.1:30795, pid=4141] "
ENGINES = ("llama.cpp", "vLLM", "SGLang", "Transformers", "MLX", "TRT-LLM")
NEGATIVE_CACHE_SECONDS = 10.0


@dataclass
class FakeGpu:
    name: str
    total: int
    free: int | None = None
    """Bytes; None says that all of it is free."""


@dataclass
class FakeWorker:
    """One worker; change `memory_free` or a GPU's `free` at any time.

    `facts` is what the extension says of it: None where the worker runs without.
    """

    address: str = "127.0.0.1:20001"
    cpus: int = 8
    memory_total: int = 64 * GIB
    memory_free: int = 60 * GIB
    gpus: list[FakeGpu] = field(default_factory=list)
    facts: dict[str, Any] | None = None
    version: str = "4.1.0"
    silent_s: float = 1
    """Seconds since the supervisor last heard of it."""
    lacks: tuple[str, ...] = ()
    """Registrations that were there before it joined."""


@dataclass
class Launching:
    """How a launch goes: ready, or failed with a reason, after so many looks at it."""

    looks: int = 1
    fails_with: str | None = None
    # As Xinference does for vLLM: the model is READY at once, its replicas are when it is loaded.
    ready_before_its_replicas: bool = False


@dataclass
class FakeModel:
    """A launched model in any state; `forgotten` after the cancel of one that was ready."""

    uid: str
    body: dict[str, Any]
    status: str
    looks_left: int
    launching: Launching
    replicas: list[dict[str, Any]]
    forgotten: bool = False
    launched_s_ago: float = 0
    is_started_again: bool = False

    @property
    def is_known(self) -> bool:
        return (self.status in ("READY", "CREATING") or self.is_started_again) and not self.forgotten


class Page(str):
    """A page of the Web UI, which a stock server answers to any GET that it does not know."""

    __slots__ = ()


class Answer(Exception):
    """What a handler raises to answer with another status; a str as text/plain, and closes the connection."""

    def __init__(self, status: int, body: Any, retry_after: int | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.retry_after = status, body, retry_after


def refused(status: int, detail: str, retry_after: int | None = None) -> Answer:
    return Answer(status, {"detail": detail}, retry_after)


def _invalid(shape: str, missing: list[str]) -> Answer:
    fields = "".join(f"\n{name}\n  field required (type=value_error.missing)" for name in missing)
    count = f"{len(missing)} validation error{'s' * (len(missing) > 1)}"
    return Answer(500, f"Internal Server Error: {count} for {shape}{fields}")


def option(model_format: str, size: int | str | None, *quantizations: str) -> dict[str, Any]:
    """A line of the engines table."""
    return {
        "model_format": model_format,
        "model_size_in_billions": size,
        "quantizations": list(quantizations),
    }


Body = dict[str, Any]


class FakeXinference:
    """Its public attributes are knobs: read and change them at any time."""

    def __init__(
        self,
        workers: list[FakeWorker] | None = None,
        *,
        auth: bool = False,
        latency: float = 0,
        extension: bool = False,
    ) -> None:
        self.workers = [FakeWorker()] if workers is None else workers
        self.auth = FakeAuth() if auth else None
        self.extension = FakeExtension() if extension else None
        if self.extension:
            self.extension.natives = lambda: [model.uid for model in self.models.values() if model.is_known]
            self.extension.lose_worker = self.lose_worker
            self.extension.facts = lambda: {worker.address: _facts(worker, self.registered) for worker in self.workers}
        self.latency = latency
        self.version = "4.1.0"
        self.uptime = 3600
        self.calls: list[tuple[str, str]] = []
        self.launch_bodies: list[Body] = []
        self.engines: dict[tuple[str, str], dict[str, list[dict[str, Any]] | str]] = {}
        self.builtin: dict[str, list[str]] = {"LLM": [], "embedding": [], "rerank": []}
        self.registered: dict[str, dict[str, Body]] = {"LLM": {}, "embedding": {}, "rerank": {}}
        # Workers that joined after everything was registered, and know of nothing.
        self.late: set[str] = set()
        self.cached: list[Body] = []
        self.launch_history = FakeLaunchHistory()
        self.autostart: list[str] = []
        # By source: a worker's address, or `supervisor`.
        self.logs: dict[str, str] = {}
        # Seconds that one path takes, beside the latency of all.
        self.slow: dict[str, float] = {}
        # Workers that died, and that Xinference has not missed yet.
        self.mute: set[str] = set()
        self.clock_ahead_s: float = 0
        self.models: dict[str, FakeModel] = {}
        self.launches: dict[str, Launching] = {}
        self.chat: dict[str, Callable[[Body], str]] = {}
        self.embed: dict[str, Callable[[str], list[float]]] = {}
        self.rerank: dict[str, Callable[[str, str], float]] = {}
        self._unknown_until: dict[str, float] = {}
        self._histories = {"": self.launch_history}
        self._asking = ""
        self._lock = threading.RLock()
        self._server = _Server(self)
        # Its workers' port is another one; this one, too, can be reached.
        self.supervisor_address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeXinference:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def mutating_calls(self) -> list[tuple[str, str]]:
        """What changed the cluster: questions to models, logins and telling what was proved do not."""
        asks = ("/v1/chat/", "/v1/embeddings", "/v1/rerank", "/token", "/v1/auth/", "/biai/models/")
        return [call for call in self.calls if call[0] != "GET" and not call[1].startswith(asks)]

    def run(self, uid: str, **body: Any) -> FakeModel:
        """Put a model there that was launched before and is ready."""
        model = self._new_model({"model_type": "LLM", "model_name": uid, **body, "model_uid": uid}, Launching(0))
        self._settle(model)
        return model

    # Handlers: each returns the JSON body of a 200, or raises Answer.

    def get_cluster_auth(self) -> Body:
        return {"auth": self.auth is not None}

    def get_version(self) -> Body:
        return {"version": self.version, "full-revisionid": "a3625815f8daa70a1beb428734147ca973cf916c"}

    def get_address(self) -> str:
        return self.supervisor_address

    def get_status(self) -> Body:
        return {"uptime": self.uptime, "workers": {worker.address: _worker_status(worker) for worker in self.workers}}

    def get_cluster_info(self) -> list[Body]:
        supervisor = {"node_type": "Supervisor", "ip_address": "127.0.0.1:30795", "gpu_count": 0}
        return [supervisor, *map(_cluster_node, self.workers)]

    def get_workers(self) -> list[Body]:
        running = [replica for model in self.models.values() for replica in model.replicas if model.is_known]
        return [
            {
                "work-ip": worker.address,
                "models": {
                    replica["replica_model_uid"]: {}
                    for replica in running
                    if (replica["worker_address"], replica["status"]) == (worker.address, "READY")
                },
            }
            for worker in self.workers
        ]

    def get_models(self) -> Body:
        ready = [model for model in self.models.values() if model.status == "READY" and model.is_known]
        return {
            "object": "list",
            "data": [
                *({"id": model.uid, "object": "model", **self._described(model)} for model in ready),
                *(self.extension.model_entries() if self.extension else []),
            ],
        }

    def get_model(self, uid: str) -> Body:
        if self.extension and (upstream := self.extension.upstreams.get(uid)):
            return {key: value for key, value in self.extension.model_entry(upstream).items() if key != "id"}
        self._look(uid)
        return self._described(self._ready(uid, unknown=400))

    def get_instances(self) -> list[Body]:
        for uid in self.models:
            self._look(uid)
        models = [model for _, model in sorted(self.models.items()) if model.status != "TERMINATED"]
        return [*map(_instance, models), *(self.extension.instance_entries() if self.extension else [])]

    def get_replicas(self, uid: str) -> list[Body]:
        if self.extension and (upstream := self.extension.upstreams.get(uid)):
            return self.extension.replica_entries(upstream)
        self._look(uid)
        # Unlike /instances, this answer has no `model_state`.
        replicas = self.models[uid].replicas if uid in self.models else []
        return [{key: value for key, value in replica.items() if key != "model_state"} for replica in replicas]

    def add_replicas(self, uid: str, body: Body) -> Body:
        model = self.models.get(uid)
        active = [one for one in model.replicas if one["status"] == "READY"] if model and model.is_known else []
        if model is None or not active:
            raise refused(400, f"{NOISE}Model not found in the model list, uid: {uid}")
        added = []
        if self.late & _workers_named(body):
            raise refused(400, f"{NOISE}Model not found, name: {model.body['model_name']}")
        for place in body["replica_config"]:
            number = max(one["replica_id"] for one in active) + 1
            if any(one["replica_id"] == number for one in model.replicas):
                raise refused(400, f"{NOISE}Replica uid already exists for model {uid}: {uid}-{number}")
            if reason := self.launches.get(uid, Launching()).fails_with:
                raise refused(503, NOISE + reason)
            replica = _replica(uid, number, self._place([place], 0))
            replica.update(status="READY", model_state="ready")
            model.replicas.append(replica)
            active.append(replica)
            added.append({key: replica[key] for key in ("replica_id", "replica_model_uid", "worker_address")})
        return added[0] if len(added) == 1 else {"replica": len(added), "replicas": added}

    def remove_replica(self, uid: str, number: str) -> Body:
        model = self.models.get(uid)
        found = [one for one in model.replicas if one["replica_id"] == int(number)] if model else []
        if model is None or not found:
            what = f"Replica not found in the model list, uid: {uid}, replica_id: {number}"
            raise refused(400, NOISE + (what if model else f"Model not found in the model list, uid: {uid}"))
        model.replicas.remove(found[0])
        left = sum(one["status"] == "READY" for one in model.replicas)
        if not left:
            model.status = "TERMINATED"
        return {"remaining_replicas": left}

    def lose_process(self, uid: str) -> None:
        """A model's process dies; until `made_anew`, Xinference is starting it again."""
        model = self.models[uid]
        model.is_started_again = True
        model.status = "ERROR"
        for replica in model.replicas:
            replica.update(status="TERMINATING", model_state="stopping")

    def made_anew(self, uid: str) -> None:
        """Its process is there again."""
        self.models[uid].is_started_again = False
        self._settle(self.models[uid])

    def lose_worker(self, address: str) -> None:
        """A worker dies, and Xinference has noticed."""
        self.workers = [worker for worker in self.workers if worker.address != address]
        for model in self.models.values():
            for replica in model.replicas:
                if replica["worker_address"] == address:
                    replica.update(status="TERMINATED")
            if all(replica["status"] == "TERMINATED" for replica in model.replicas):
                model.status = "TERMINATED"

    def get_progress(self, uid: str) -> Body:
        model = self.models.get(uid)
        if model is None or not model.is_known:
            return {"progress": 0.0, "stage": "pending", "download_files": [], "replicas": []}
        progress = 1 - model.looks_left / max(model.launching.looks, 1)
        return {"progress": progress, "stage": "loading", "download_files": [], "replicas": []}

    def get_events(self, uid: str) -> list[Body]:
        # A failed load leaves no event of its own.
        if uid not in self.models:
            return []
        return [{"event_type": "INFO", "event_ts": 1795364862, "event_content": "Launch model"}]

    def get_autostart(self) -> Body:
        return {"models": [{"enabled": True, "model_uid": uid} for uid in self.autostart]}

    def get_log_sources(self) -> Body:
        supervisor = {"id": "supervisor", "label": "Supervisor", "role": "supervisor", "node_name": "127.0.0.1:30795"}
        workers = [
            {"id": worker.address, "label": f"Worker {worker.address}", "role": "worker", "node_name": worker.address}
            for worker in self.workers
        ]
        return {"sources": [supervisor, *workers]}

    def get_log(self, source: str, cursor: str = "") -> Body:
        if source not in ("supervisor", *(worker.address for worker in self.workers)):
            raise refused(404, "Log source not found")
        text = self.logs.get(source, "")
        start = int(cursor.rpartition(":")[2]) if cursor else 0
        if source in self.mute:
            raise refused(503, "Worker logs are unavailable")
        return {"text": text[start:], "cursor": f"1:1:{len(text)}", "has_more": False, "reset": False}

    def get_cached(self) -> Body:
        return {"list": self.cached}

    def post_model(self, body: Body, wait_ready: str = "true") -> Body:
        if not body.get("model_name"):
            raise refused(400, "Invalid input. Please specify the `model_name` field.")
        if body.get("model_type", "LLM") == "LLM" and not body.get("model_engine"):
            raise refused(400, "Invalid input. Please specify the `model_engine` field.")
        if body.get("replica", 1) < 1:
            raise refused(400, "Invalid input. The `replica` field must be at least 1.")
        uid = body.get("model_uid") or body["model_name"]
        if uid in self.models and self.models[uid].is_known:
            raise refused(400, f"{NOISE}Model is already in the model list, uid: {uid}")
        self.launch_bodies.append(body)
        self._unknown_until.pop(uid, None)
        wrong = self._cannot_run(body)
        launching = Launching(0, wrong) if wrong else self.launches.get(uid, Launching())
        model = self._new_model({**body, "model_uid": uid}, launching)
        if wrong or wait_ready == "true" or launching.looks == 0:
            self._settle(model)
        if wait_ready == "true" and launching.fails_with:
            raise refused(400 if wrong else 503, NOISE + launching.fails_with)
        return {"model_uid": uid}

    def delete_model(self, uid: str) -> None:
        if self.extension and self.extension.upstreams.pop(uid, None):
            return
        model = self.models.get(uid)
        if model is None or not model.is_known:
            raise refused(400, f"{NOISE}Model not found in the model list, uid: {uid}")
        if model.status != "READY":
            raise refused(400, f"{NOISE}Model not found in the model list, uid: {uid}-rep0")
        # Gone from /instances; its replicas are still told.
        model.status = "TERMINATED"
        for replica in model.replicas:
            replica.update(status="TERMINATED")

    def cancel(self, uid: str) -> None:
        model = self.models.get(uid)
        if model is None or not model.is_known:
            raise refused(500, f"{NOISE}Model {uid} has not been launched yet")
        if model.status == "READY":
            model.forgotten = True
            return
        model.status = "ERROR"
        for replica in model.replicas:
            replica.update(status="ERROR", model_state="error")

    def get_registrations(self, model_type: str) -> list[Body]:
        custom = self._of_type(model_type)
        names = dict.fromkeys(self.builtin[model_type], True) | dict.fromkeys(custom, False)
        return [{"model_name": name, "is_builtin": is_builtin} for name, is_builtin in names.items()]

    def get_registration(self, model_type: str, name: str) -> Body:
        if name not in self._of_type(model_type):
            raise refused(400, f"{NOISE}Model {name} not found")
        return self.registered[model_type][name]

    def post_registration(self, model_type: str, body: Body) -> None:
        if "persist" not in body:
            raise _invalid("RegisterModelRequest", ["persist"])
        family = json.loads(body["model"])
        if "model_name" not in family:
            raise refused(400, f"{NOISE}1 validation error for CustomLLMFamilyV2\nmodel_name\n  field required")
        name = family["model_name"]
        if name in self._of_type(model_type) or name in self.builtin[model_type]:
            raise refused(400, f"{NOISE}Model {name} already registered")
        self.registered[model_type][name] = {**family, "is_builtin": False}
        self.late.clear()

    def delete_registration(self, model_type: str, name: str) -> None:
        self._of_type(model_type).pop(name, None)

    def get_engines(self, model_type: str, name: str) -> dict[str, Any] | None:
        if (told := self.engines.get((model_type, name))) is not None:
            return told
        family = self.registered[model_type].get(name)
        if family is None:
            return None
        engines: dict[str, Any] = {engine: f"Failed to import {engine}: No module named" for engine in ENGINES}
        specs = [spec for spec in family["model_specs"] if spec["model_format"] == "ggufv2"]
        engines["llama.cpp"] = [_engine_option(model_type, name, spec) for spec in specs]
        return engines

    def get_launch_history(self, model_name: str | None = None, scope: str | None = None) -> list[Body]:
        if self.launch_history.fails_with:
            raise refused(500, self.launch_history.fails_with)
        return self._history().told(model_name)

    def post_launch_history(self, body: Body) -> Body:
        if not body.get("model_name"):
            raise refused(400, "model_name is required")
        self._history().keep(body)
        return {"status": "ok"}

    def _history(self) -> FakeLaunchHistory:
        """What belongs to the user who asks."""
        return self._histories.setdefault(self._asking, FakeLaunchHistory())

    def post_chat(self, body: Body) -> Body:
        missing = [name for name in ("messages", "model") if name not in body]
        if missing:
            raise _invalid("CreateChatCompletion", missing)
        uid = self._served(body)
        text = self.chat.get(uid, lambda _: "hello")(body)
        choice = {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24}
        # llama.cpp names the model by its file.
        return {
            "object": "chat.completion",
            "model": "/cache/model.gguf",
            "choices": [choice],
            "usage": usage,
        }

    def post_embeddings(self, body: Body) -> Body:
        uid = self._served(body)
        embed = self.embed.get(uid, lambda text: [float(len(text)), 1.0])
        inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [{"index": i, "object": "embedding", "embedding": embed(text)} for i, text in enumerate(inputs)]
        return {"object": "list", "model": uid, "data": data}

    def post_rerank(self, body: Body) -> Body:
        score = self.rerank.get(self._served(body), lambda query, document: float(query in document))
        scored = [(score(body["query"], text), index) for index, text in enumerate(body["documents"])]
        results = [{"index": i, "relevance_score": s, "document": None} for s, i in sorted(scored, reverse=True)]
        return {"id": "rerank", "results": results}

    # State

    def _new_model(self, body: Body, launching: Launching) -> FakeModel:
        uid, placed = body["model_uid"], body.get("replica_config") or []
        count = body.get("replica", len(placed) or 1)
        replicas = [_replica(uid, number, self._place(placed, number)) for number in range(count)]
        model = FakeModel(uid, body, "CREATING", launching.looks, launching, replicas)
        self.models[uid] = model
        return model

    def _place(self, placed: list[Body], number: int) -> tuple[str, list[int] | None]:
        if number < len(placed):
            device = placed[number]["devices"][0]
            return device["worker_ip"], device.get("gpu_idx")
        return (self.workers[number % len(self.workers)].address if self.workers else "127.0.0.1:0"), None

    def _look(self, uid: str) -> None:
        model = self.models.get(uid)
        if model is None or model.status != "CREATING":
            return
        model.looks_left -= 1
        if model.looks_left < 0:
            self._settle(model)

    def _settle(self, model: FakeModel) -> None:
        reason = model.launching.fails_with
        model.status, model.looks_left = ("ERROR" if reason else "READY"), 0
        for replica in model.replicas:
            state = {"status": "ERROR", "model_state": "error", "error_message": NOISE + (reason or "")}
            replica.update(state if reason else {"status": "READY", "model_state": "ready"})

    def _served(self, body: Body) -> str:
        uid: str = body["model"]
        if self.extension and (upstream := self.extension.upstreams.get(uid)):
            reasons = [self.extension.failing.get(server.url) for server in upstream.servers]
            if all(reasons):
                raise Refused(503, f"no server of `{uid}` answers: {reasons[0]}")
            return uid
        return self._ready(uid, unknown=404).uid

    def _ready(self, uid: str, unknown: int) -> FakeModel:
        model = self.models.get(uid)
        if model is not None and model.is_known:
            if model.status == "READY":
                return model
            launching = f"{NOISE}Model {uid} is launching, not yet ready for inference"
            raise refused(503, f"Model is loading, please retry later: {launching}", retry_after=30)
        detail = f"Model not found in the model list, uid: {uid}"
        if unknown == 404:
            if time.monotonic() < self._unknown_until.get(uid, 0):
                raise refused(404, f"{detail} (cached, retry after {NEGATIVE_CACHE_SECONDS}s)")
            self._unknown_until[uid] = time.monotonic() + NEGATIVE_CACHE_SECONDS
            detail += f". Available model uids: {[m.uid for m in self.models.values() if m.is_known]}"
        raise refused(unknown, NOISE + detail)

    def _cannot_run(self, body: Body) -> str | None:
        name, engine = body["model_name"], body.get("model_engine")
        engines = self.get_engines(body.get("model_type", "LLM"), name)
        if engines is None or self.late & _workers_named(body):
            found = [body.get(key) for key in ("model_format", "model_size_in_billions", "quantization")]
            return "Model not found, name: {}, format: {}, size: {}, quantization: {}".format(name, *found)
        offers = {offered.lower(): told for offered, told in engines.items()}
        if engine and not isinstance(offers.get(engine.lower()), list):
            return f"Model {name} cannot be run on engine {engine}."
        return None

    def _described(self, model: FakeModel) -> Body:
        body = model.body
        keys = ("model_name", "model_format", "model_size_in_billions", "quantization", "model_engine")
        family = self.registered[body.get("model_type", "LLM")].get(body["model_name"], {})
        told = {"model_type": body.get("model_type", "LLM"), "address": "127.0.0.1:40601", "accelerators": []}
        served = self.extension.served.get(model.uid) if self.extension else None
        # The registered length, whatever the launch asked for; the extension tells what that was.
        context = (served.context if served else None) or family.get("context_length")
        told |= {"context_length": context, "dimensions": family.get("dimensions")}
        return told | {key: body.get(key) for key in keys} | {"replica": len(model.replicas)}

    def _of_type(self, model_type: str) -> dict[str, Body]:
        if model_type not in self.registered:
            raise refused(400, f"{NOISE}Unsupported model type: {model_type}")
        return self.registered[model_type]


def _workers_named(body: Body) -> set[str]:
    devices = [device for replica in body.get("replica_config") or [] for device in replica["devices"]]
    return {body.get("worker_ip") or "", *(device["worker_ip"] for device in devices)}


def _worker_status(worker: FakeWorker) -> Body:
    used = worker.memory_total - worker.memory_free
    memory = {
        "memory_used": used,
        "memory_available": worker.memory_free,
        "memory_total": worker.memory_total,
    }
    status: Body = {"cpu": {"usage": 0.1, "total": worker.cpus, **memory}}
    for index, gpu in enumerate(worker.gpus):
        free = gpu.total if gpu.free is None else gpu.free
        memory = {"mem_total": gpu.total, "mem_free": free, "mem_used": gpu.total - free}
        status[f"gpu-{index}"] = {"name": gpu.name, **memory, "mem_usage": 1 - free / gpu.total, "gpu_util": 0}
    return {"update_time": time.time() - worker.silent_s, "failure_remaining_count": 5, "status": status}


def _facts(worker: FakeWorker, registered: dict[str, dict[str, Body]]) -> Body:
    if worker.facts is None:
        return {"error": "it runs without the extension `biai_xinf`"}
    known = {kind: [name for name in names if name not in worker.lacks] for kind, names in registered.items()}
    return {"registrations": known, **worker.facts}


def _cluster_node(worker: FakeWorker) -> Body:
    gpus = {"gpu_count": len(worker.gpus), "gpu_vram_total": sum(gpu.total for gpu in worker.gpus)}
    node = {"node_type": "Worker", "ip_address": worker.address, "software_version": worker.version, **gpus}
    return {
        **node,
        "cpu_count": worker.cpus,
        "mem_total": worker.memory_total,
        "mem_available": worker.memory_free,
    }


def _replica(uid: str, number: int, place: tuple[str, list[int] | None]) -> Body:
    state = {"status": "CREATING", "model_state": "", "error_message": None, "replica_uid": None}
    where = {"worker_address": place[0], "gpu_idx": place[1]}
    return {
        "replica_id": number,
        "replica_model_uid": f"{uid}-rep{number}",
        "created_ts": 1795364862,
        **where,
        **state,
    }


def _instance(model: FakeModel) -> Body:
    told = {"model_name": model.body["model_name"], "model_uid": model.uid, "model_version": None}
    early = model.launching.ready_before_its_replicas and model.status == "CREATING"
    status = "READY" if early else model.status
    told |= {
        "replica": len(model.replicas),
        "status": status,
        "instance_created_ts": int(time.time() - model.launched_s_ago),
    }
    return told | {"n_worker": 1, "replica_statuses": model.replicas}


def _engine_option(model_type: str, name: str, spec: Body) -> Body:
    told = {"model_name": name, "model_format": spec["model_format"]}
    if model_type != "LLM":
        return told | {"quantization": spec["quantization"]}
    size = spec["model_size_in_billions"]
    return told | {"model_size_in_billions": size, "quantizations": [spec["quantization"]]}


UID, TYPE, NAME = "(?P<uid>[^/]+)", "(?P<model_type>[^/]+)", "(?P<name>[^/]+)"
Route = tuple[str, str, str | None, Callable[..., Any]]
ROUTES: list[Route] = [
    ("GET", "/v1/cluster/auth", None, FakeXinference.get_cluster_auth),
    ("GET", "/v1/address", None, FakeXinference.get_address),
    ("GET", "/status", None, FakeXinference.get_status),
    ("GET", "/v1/cluster/version", "admin", FakeXinference.get_version),
    ("GET", "/v1/cluster/info", "admin", FakeXinference.get_cluster_info),
    ("GET", "/v1/workers", "admin", FakeXinference.get_workers),
    ("GET", "/v1/models", "models:list", FakeXinference.get_models),
    ("POST", "/v1/models", "models:write", FakeXinference.post_model),
    ("GET", "/v1/models/instances", "models:list", FakeXinference.get_instances),
    ("GET", f"/v1/models/{UID}", "models:list", FakeXinference.get_model),
    ("DELETE", f"/v1/models/{UID}", "models:write", FakeXinference.delete_model),
    ("GET", f"/v1/models/{UID}/replicas", "models:list", FakeXinference.get_replicas),
    ("POST", f"/v1/models/{UID}/replicas", "models:write", FakeXinference.add_replicas),
    ("DELETE", f"/v1/models/{UID}/replicas/(?P<number>[0-9]+)", "models:write", FakeXinference.remove_replica),
    ("GET", f"/v1/models/{UID}/progress", "models:read", FakeXinference.get_progress),
    ("GET", f"/v1/models/{UID}/events", "models:read", FakeXinference.get_events),
    ("POST", f"/v1/models/{UID}/cancel", "models:write", FakeXinference.cancel),
    ("GET", "/v1/cache/models", "cache:list", FakeXinference.get_cached),
    ("GET", "/v1/autostart/models/summary", "models:list", FakeXinference.get_autostart),
    ("GET", "/v1/cluster/runtime-logs/sources", "logs:list", FakeXinference.get_log_sources),
    ("GET", "/v1/cluster/runtime-logs", "logs:list", FakeXinference.get_log),
    ("GET", f"/v1/model_registrations/{TYPE}", "models:list", FakeXinference.get_registrations),
    ("POST", f"/v1/model_registrations/{TYPE}", "models:register", FakeXinference.post_registration),
    ("GET", f"/v1/model_registrations/{TYPE}/{NAME}", "models:list", FakeXinference.get_registration),
    (
        "DELETE",
        f"/v1/model_registrations/{TYPE}/{NAME}",
        "models:register",
        FakeXinference.delete_registration,
    ),
    ("GET", f"/v1/engines/{TYPE}/{NAME}", "models:list", FakeXinference.get_engines),
    ("GET", "/v1/launch_history", "models:list", FakeXinference.get_launch_history),
    ("POST", "/v1/launch_history", "models:write", FakeXinference.post_launch_history),
    ("POST", "/v1/chat/completions", "models:read", FakeXinference.post_chat),
    ("POST", "/v1/embeddings", "models:read", FakeXinference.post_embeddings),
    ("POST", "/v1/rerank", "models:read", FakeXinference.post_rerank),
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeXinference) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it every answer waits for the client's delayed acknowledgement, 40 ms.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        size = int(self.headers.get("content-length") or 0)
        sent = self.rfile.read(size)
        time.sleep(fake.latency + fake.slow.get(parts.path, 0))
        with fake._lock:
            fake.calls.append((self.command, parts.path))
            try:
                status, answer, retry_after = 200, self._answer(parts.path, parts.query, sent), None
            except Answer as other:
                status, answer, retry_after = other.status, other.body, other.retry_after
            except Refused as other:
                status, answer, retry_after = other.status, other.body, None
        self._reply(status, answer, retry_after)

    do_POST = do_PUT = do_DELETE = do_GET

    def _answer(self, path: str, query: str, sent: bytes) -> Any:
        fake = self.server.fake
        body = _json(sent)
        if fake.auth and (answer := fake.auth.route(self.command, path, body, self.headers.get("authorization"))):
            raise Answer(*answer)
        fake._asking = fake.auth.user_of(self.headers.get("authorization")) if fake.auth else ""
        for method, pattern, scope, handler in [*ROUTES, *(EXTENSION_ROUTES if fake.extension else [])]:
            if method != self.command or not (found := re.fullmatch(pattern, unquote(path))):
                continue
            if fake.auth and scope and (answer := fake.auth.check(self.headers.get("authorization"), scope)):
                raise Answer(*answer)
            asked = body.get("model") if scope == "models:read" and isinstance(body, dict) else None
            if fake.auth and asked and (answer := fake.auth.check_model(self.headers.get("authorization"), asked)):
                raise Answer(*answer)
            arguments: dict[str, Any] = found.groupdict()
            if method in ("POST", "PUT") and handler is not FakeXinference.cancel:
                arguments["body"] = body
            if handler in (FakeXinference.post_model, FakeXinference.get_log, FakeXinference.get_launch_history):
                arguments |= {key: values[0] for key, values in parse_qs(query).items()}
            return handler(fake.extension if path.startswith("/biai") else fake, **arguments)
        if path == "/token" or self.command != "GET":
            raise refused(405, "Method Not Allowed")
        # Its Web UI answers for every path that is none of the API's.
        raise refused(404, "Not Found") if path.startswith("/v1/") else Answer(404, Page("<!DOCTYPE html><html/>"))

    def _reply(self, status: int, answer: Any, retry_after: int | None) -> None:
        # A string that is answered well is JSON, as `/v1/address` is.
        is_text = isinstance(answer, str) and status != 200
        content = answer.encode() if is_text else json.dumps(answer).encode()
        self.send_response(status)
        text = "text/html" if isinstance(answer, Page) else "text/plain"
        self.send_header("content-type", f"{text}; charset=utf-8" if is_text else "application/json")
        self.send_header("content-length", str(len(content)))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)
        # Unannounced, as uvicorn does it after an unhandled exception.
        self.close_connection = self.close_connection or (is_text and not isinstance(answer, Page))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.fake.clock_ahead_s)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _json(sent: bytes) -> Any:
    try:
        return json.loads(sent) if sent else None
    except ValueError as error:
        raise Answer(500, f"Internal Server Error: {error}") from None
