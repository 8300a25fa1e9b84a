"""What Xinference answers, as lenient values: keys we do not use are ignored, facts it leaves out are None.

Shapes were recorded from Xinference 4.1.0; `tests/contract` holds them on the real server.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, model_validator

# Devices whose memory Xinference cannot read are reported as 1 byte in total (device_utils.py, 4.1.0).
_SMALLEST_GPU = 2**20
# GPUs stand beside `cpu`, as `gpu-0`, `gpu-1` (device_utils.py, 4.1.0); Ascend's `gpu-0-0` tell no index to launch on.
_GPU = re.compile(r"(?:gpu-)?(\d+)")

_NOISE = re.compile(r"\[address=[^\[\],]*, pid=\d+\] ?")


def without_noise(text: str) -> str:
    """Without the `[address=..., pid=...]` that xoscar puts before what an actor says."""
    return _NOISE.sub("", text).strip()


Said = Annotated[str, AfterValidator(without_noise)]


class Wire(BaseModel):
    """Base of every answer."""

    # `model_` is pydantic's own prefix; Xinference's field names start with it, and we keep those.
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class AuthState(Wire):
    """GET /v1/cluster/auth: whether this Xinference asks for credentials."""

    auth: bool


class Version(Wire):
    """GET /v1/cluster/version."""

    version: str


class CpuStatus(Wire):
    """A worker's processor and main memory; `usage` is 0..1, `total` counts its threads, memory in bytes."""

    usage: float | None = None
    total: float | None = None
    memory_used: int | None = None
    memory_available: int | None = None
    memory_total: int | None = None


class GpuStatus(Wire):
    """One device of a worker; memory in bytes, None where Xinference cannot tell; `gpu_util` in percent."""

    name: str | None = None
    mem_total: int | None = None
    mem_free: int | None = None
    mem_used: int | None = None
    gpu_util: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _placeholders_are_unknown(cls, answer: Any) -> Any:
        if isinstance(answer, dict) and (answer.get("mem_total") or 0) < _SMALLEST_GPU:
            return {key: value for key, value in answer.items() if not key.startswith("mem_")}
        return answer


class WorkerStatus(Wire):
    """What a worker last reported about its machine; `gpus` is keyed by the place among those that it may use.

    That place is the index `gpu_idx` takes, unless CUDA_VISIBLE_DEVICES picks others than the first (4.1.0).
    `update_time` is the supervisor's clock when it last heard of it, `failure_remaining_count` how often it may
    still miss the worker before it takes it for dead: the whole threshold as long as all is well.
    """

    update_time: float | None = None
    failure_remaining_count: int | None = None
    cpu: CpuStatus | None = None
    gpus: dict[str, GpuStatus] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _cpu_apart_from_gpus(cls, answer: Any) -> Any:
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            return answer
        gpus = {found[1]: device for key, device in status.items() if (found := _GPU.fullmatch(key))}
        told = {key: answer.get(key) for key in ("update_time", "failure_remaining_count")}
        return {**told, "cpu": status.get("cpu"), "gpus": gpus}


class ClusterStatus(Wire):
    """GET /status: the hardware of every worker, by the worker's `host:port`; open even with auth on."""

    uptime: int | None = None
    workers: dict[str, WorkerStatus]


class WorkerModels(Wire):
    """One line of GET /v1/workers: the replicas that run on a worker, by the names `UID-repN` (4.1.0)."""

    address: str = Field(alias="work-ip")
    models: dict[str, Any] = Field(default_factory=dict)

    def replicas_of(self, uid: str) -> list[int]:
        """The numbers of a model's replicas here."""
        names = (re.fullmatch(r"(.+)-rep(\d+)", name) for name in self.models)
        return sorted(int(found[2]) for found in names if found and found[1] == uid)


class ClusterNode(Wire):
    """GET /v1/cluster/info?detailed=true: one supervisor or worker; sums over its GPUs, bytes."""

    node_type: str
    ip_address: str
    software_version: str | None = None
    gpu_count: int | None = None
    gpu_vram_total: int | None = None
    gpu_vram_available: int | None = None
    cpu_count: int | None = None
    mem_total: int | None = None
    mem_available: int | None = None


class UpstreamServer(Wire):
    """One server of an upstream; `key_env` names the variable of the endpoint's process that holds its key."""

    provider: str
    url: str
    model: str
    key_env: str | None = None
    weight: int = 1


class RunningUpstream(Wire):
    """What the extension adds to a model that other servers run."""

    servers: list[UpstreamServer] = Field(min_length=1)


class RunningModel(Wire):
    """GET /v1/models[/{uid}]: a model that is ready; `id` is its uid.

    One that other servers run has the engine `upstream`, and is listed though none of them may answer.
    """

    id: str
    model_type: str | None = None
    model_name: str | None = None
    model_format: str | None = None
    model_size_in_billions: int | str | None = None
    quantization: str | None = None
    model_engine: str | None = None
    model_ability: list[str] | None = None
    context_length: int | None = None
    dimensions: int | None = None
    max_tokens: int | None = None
    replica: int | None = None
    address: str | None = None
    accelerators: list[str] | None = None
    upstream: RunningUpstream | None = None


class RunningModels(Wire):
    """GET /v1/models."""

    data: list[RunningModel]


class Launched(Wire):
    """POST /v1/models."""

    model_uid: str


class ReplicaStatus(Wire):
    """One replica; `error_message` says why it failed to load, `model_state` is finer than `status`."""

    replica_id: int
    replica_model_uid: str
    status: str
    worker_address: str | None = None
    model_state: str | None = None
    created_ts: int | None = None
    error_message: Said | None = None
    replica_uid: str | None = None
    gpu_idx: list[int] | None = None


class Instance(Wire):
    """GET /v1/models/instances: a launched model in any state; failed launches stay, as ERROR."""

    model_uid: str
    model_name: str | None = None
    model_version: str | None = None
    status: str
    replica: int | None = None
    n_worker: int | None = None
    instance_created_ts: int | None = None
    replica_statuses: list[ReplicaStatus] = Field(default_factory=list)

    @property
    def is_still_loading(self) -> bool:
        """Whether a replica of it loads: of a model on vLLM Xinference 4.1.0 says READY before its replicas are.

        Requests get a 503 until `wait_for_load` has returned (`core/supervisor.py`).
        """
        return any(replica.status in ("CREATING", "LOADING") for replica in self.replica_statuses)

    def replicas_are(self, *states: str) -> bool:
        """Whether there are replicas, all of them in these states."""
        return bool(self.replica_statuses) and all(replica.status in states for replica in self.replica_statuses)

    @property
    def error_message(self) -> str | None:
        """The first reason a replica gives for not running."""
        return next((replica.error_message for replica in self.replica_statuses if replica.error_message), None)


class DownloadFile(Wire):
    """One file of a model that is loaded down, in bytes."""

    downloaded_bytes: int | None = None
    total_bytes: int | None = None


class Progress(Wire):
    """GET /v1/models/{uid}/progress; an unknown uid answers 0.0 and `pending` too."""

    progress: float | None = None
    stage: str | None = None
    download_files: list[DownloadFile] = Field(default_factory=list)

    @property
    def downloaded(self) -> tuple[int, int] | None:
        """Bytes that are there and bytes in all, of every replica; None where nothing is loaded down."""
        told = [(file.downloaded_bytes, file.total_bytes) for file in self.download_files]
        known = [(done, total) for done, total in told if done is not None and total]
        return (sum(done for done, _ in known), sum(total for _, total in known)) if known else None


class Event(Wire):
    """One line of GET /v1/models/{uid}/events."""

    event_type: str
    event_ts: int
    event_content: Said


class LogSource(Wire):
    """One line of GET /v1/cluster/runtime-logs/sources: the supervisor, or a worker by its address."""

    id: str
    role: str
    node_name: str | None = None


class LogSources(Wire):
    """GET /v1/cluster/runtime-logs/sources."""

    sources: list[LogSource]


class LogPart(Wire):
    """GET /v1/cluster/runtime-logs: at most 256 KiB of a process's log, and the `cursor` that continues after it."""

    text: str
    cursor: str = ""
    has_more: bool = False


class AutostartEntry(Wire):
    """A model that Xinference launches by itself when a worker joins."""

    model_uid: str
    enabled: bool = True


class Autostart(Wire):
    """GET /v1/autostart/models/summary: the entries of all users."""

    models: list[AutostartEntry]


class CachedModel(Wire):
    """GET /v1/cache/models: weights that a worker holds on disk.

    For embeddings and rerankers format and quantization are only told within `model_version`,
    `tiny-emb--512--32--ggufv2--f16` (4.1.0).
    """

    model_name: str
    model_type: str | None = None
    model_format: str | None = None
    model_size_in_billions: int | str | None = None
    quantization: str | None = None
    model_version: str | None = None
    path: str | None = None
    real_path: str | None = None
    actor_ip_address: str | None = None


class CachedModels(Wire):
    """GET /v1/cache/models."""

    list: list[CachedModel]


class Registration(Wire):
    """One line of GET /v1/model_registrations/{type}."""

    model_name: str
    is_builtin: bool


class RecordedLaunch(Wire):
    """One line of GET /v1/launch_history: `data` is what a launch form is filled with, whoever wrote it."""

    model_name: str
    model_uid: str
    data: Any = None
    autostart_enabled: bool = False


class EngineOption(Wire):
    """What an engine can load of a model: one format and size, in these quantizations."""

    model_name: str | None = None
    model_format: str | None = None
    model_size_in_billions: int | str | None = None
    quantizations: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _one_quantization_is_a_list(cls, answer: Any) -> Any:
        # LLM options list `quantizations`; embedding and rerank options name one `quantization` (4.1.0).
        if isinstance(answer, dict) and "quantizations" not in answer and answer.get("quantization"):
            return {**answer, "quantizations": [answer["quantization"]]}
        return answer


Engines = dict[str, list[EngineOption] | str]
"""Per engine what it can load, or a sentence saying why it cannot."""


class EnginesAnswer(RootModel[Engines | None]):
    """GET /v1/engines/{type}/{name}; null for an unknown name."""


class Token(Wire):
    """POST /token and POST /v1/auth/refresh: good for 30 minutes and 7 days."""

    access_token: str = Field(repr=False)
    refresh_token: str | None = Field(default=None, repr=False)


class SetupStatus(Wire):
    """GET /v1/admin/setup/status."""

    needs_setup: bool


class ApiKey(Wire):
    """POST /v1/admin/keys; `key` is shown once."""

    id: int
    key: str = Field(repr=False)
    name: str | None = None


class Usage(Wire):
    """Tokens of one answer."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatAnswer(Wire):
    """The first choice of POST /v1/chat/completions; `text` is empty where the model said nothing."""

    text: str
    finish_reason: str | None = None
    usage: Usage | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_first_choice(cls, answer: Any) -> Any:
        if not isinstance(answer, dict) or "choices" not in answer:
            return answer
        choice = answer["choices"][0] if answer["choices"] else {}
        text = (choice.get("message") or {}).get("content") or ""
        return {"text": text, "finish_reason": choice.get("finish_reason"), "usage": answer.get("usage")}


class Embedding(Wire):
    """One vector of POST /v1/embeddings."""

    index: int
    embedding: list[float]


class Embeddings(Wire):
    """POST /v1/embeddings."""

    data: list[Embedding]


class Relevance(Wire):
    """One document's place in POST /v1/rerank."""

    index: int
    relevance_score: float


class Reranking(Wire):
    """POST /v1/rerank."""

    results: list[Relevance]


# Answers of our own extension; absent from a stock Xinference.


class ExtensionVersion(Wire):
    """GET /biai/version: the extension's version, and that of the Xinference it runs in."""

    biai_xinf: str
    xinference: str | None = None


class ServerHealth(Wire):
    """What the endpoint last saw of one server: `state` is `ok`, `failing` or `unknown`; `since` is UTC, ISO 8601."""

    url: str
    model: str
    state: str = "unknown"
    reason: str | None = None
    in_flight: int | None = None
    since: str | float | None = None


class Upstream(Wire):
    """A model that other servers run, and the health of each of them."""

    name: str
    role: str | None = None
    servers: list[UpstreamServer] = Field(default_factory=list)
    fallback: list[str] = Field(default_factory=list)
    patience_s: float | None = None
    deadline_s: float | None = None
    context: int | None = None
    defaults: dict[str, Any] = Field(default_factory=dict)
    health: list[ServerHealth] = Field(default_factory=list)

    def health_of(self, server: UpstreamServer) -> ServerHealth:
        """The health of one of its servers; `unknown` where nothing was told."""
        untold = ServerHealth(url=server.url, model=server.model)
        return next((one for one in self.health if (one.url, one.model) == (server.url, server.model)), untold)


class Upstreams(Wire):
    """GET /biai/upstreams."""

    upstreams: list[Upstream]


class CpuFacts(Wire):
    """A worker's processor; `flags` are the instruction sets that matter to engines, by Linux's names."""

    model: str | None = None
    threads: int | None = None
    flags: frozenset[str] | None = None


class DiskFacts(Wire):
    """The disk that holds a worker's models, in bytes."""

    total: int | None = None
    free: int | None = None


class GpuFacts(Wire):
    """One GPU of a worker's machine, whether Xinference may use it or not; memory in bytes."""

    index: int
    name: str | None = None
    memory_total: int | None = None
    memory_free: int | None = None
    compute_capability: str | None = None
    driver: str | None = None


class WorkerFacts(Wire):
    """What a worker with the extension says of its machine; `error` where it said nothing.

    `gpu_devices` are the indices its GPUs are launched on, `engines` the versions installed by engine,
    `virtual_env` whether Xinference installs others when it launches, `registrations` the custom models known there by
    type. Older extensions leave them out.
    """

    biai_xinf: str | None = None
    error: str | None = None
    cpu: CpuFacts | None = None
    disk: DiskFacts | None = None
    gpus: list[GpuFacts] | None = None
    gpu_devices: list[int] | None = None
    engines: dict[str, str] | None = None
    virtual_env: bool | None = None
    registrations: dict[str, list[str]] | None = None


class WorkerEntry(Wire):
    """One worker of GET /biai/status."""

    address: str
    facts: WorkerFacts


class EndpointTarget(Wire):
    """A replica or server of a model, and what the endpoint itself found of it."""

    name: str
    state: str
    where: str | None = None
    reason: str | None = None


class EndpointModel(Wire):
    """One model of GET /biai/status; `stopped` where only what a launch once proved is left of it."""

    uid: str
    kind: str
    state: str | None = None
    role: str | None = None
    aliases: list[str] = Field(default_factory=list)
    spec: str | None = None
    targets: list[EndpointTarget] = Field(default_factory=list)


class HealthCheck(Wire):
    """How Xinference notices that a worker is dead; seconds."""

    interval: float
    timeout: float
    threshold: int
    enabled: bool = True


class SupervisorFacts(Wire):
    """How the supervisor runs; `launched` is the role in which our launcher started it."""

    cpus: int | None = None
    launched: str | None = None
    health_check: HealthCheck | None = None


class EndpointStatus(Wire):
    """GET /biai/status, as far as we use it: `workers` is None where they could not be asked."""

    models: list[EndpointModel] = Field(default_factory=list)
    workers: list[WorkerEntry] | None = None
    supervisor: SupervisorFacts | None = None
