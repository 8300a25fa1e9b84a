"""Xinference's REST API as Python: one short method per route we use, typed answers, our own errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from biai_xinf import wire
from biai_xinf.bearer import Bearer
from biai_xinf.credentials import HINT as CREDENTIALS_HINT
from biai_xinf.credentials import Credentials, saved_credentials
from biai_xinf.errors import (
    AuthFailed,
    LaunchFailed,
    NoExtension,
    NotFound,
    NotReady,
    NotXinference,
    Rejected,
    ServerFailed,
)
from biai_xinf.transport import READ_TIMEOUT, Call, Transport

if TYPE_CHECKING:
    from biai_xinf.specs import ModelType
    from biai_xinf.upstreams import ServedModel, Upstream

T = TypeVar("T")

# Seconds to wait for what may take long by nature.
ANSWER_TIMEOUT = 300.0
LAUNCH_TIMEOUT = 1800.0
# POST /cancel waits up to 60 s for the launch to end, and so may a termination (Xinference 4.1.0).
STOP_TIMEOUT = 120.0
# Liveness routes do no work: one that takes longer does not live.
LIVENESS_TIMEOUT = 10.0
# A row of a small database, which no launch should wait for.
FORM_TIMEOUT = 5.0


class Client:
    """One Xinference; usable as a context manager. `timeout` is for answers that cost it little, in seconds.

    Without `credentials` nothing is sent but the request. Those of `load_credentials` that were saved by an
    earlier login are kept fresh in their file. Every method raises XinferenceError's classes.
    """

    def __init__(self, endpoint: str, credentials: Credentials | None = None, timeout: float = READ_TIMEOUT) -> None:
        is_saved = credentials is not None and credentials.has_tokens and saved_credentials(endpoint) == credentials
        self._transport = Transport(endpoint, credentials, saved_for=endpoint if is_saved else None)
        self._timeout = timeout
        self.endpoint = self._transport.endpoint
        self.credentials = credentials

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which the server's clock was ahead of ours at its last answer, to the second; None: untold."""
        return self._transport.clock_ahead

    @property
    def bearer(self) -> Bearer | None:
        """The login that goes with requests, for who sends some by another way; None where there are no credentials."""
        return self._transport.bearer

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    # The cluster

    def auth_enabled(self) -> bool:
        """Whether it asks for credentials; the cheapest way to see that an Xinference is there."""
        call = Call("GET", "/v1/cluster/auth", timeout=LIVENESS_TIMEOUT, open_route=True)
        return self._transport.request(call, wire.AuthState).auth

    def version(self) -> str:
        """Such as `4.1.0`; needs an admin where auth is on."""
        return self._transport.request(self._get("/v1/cluster/version"), wire.Version).version

    def supervisor_address(self) -> str:
        """The `host:port` at which workers talk to the supervisor itself; open to everyone."""
        call = Call("GET", "/v1/address", timeout=LIVENESS_TIMEOUT, open_route=True)
        return self._transport.request(call, str)

    def status(self) -> wire.ClusterStatus:
        """The workers and their hardware, device by device; open to everyone."""
        call = Call("GET", "/status", timeout=LIVENESS_TIMEOUT, open_route=True)
        return self._transport.request(call, wire.ClusterStatus)

    def cluster_info(self) -> list[wire.ClusterNode]:
        """Supervisor and workers with their versions; needs an admin where auth is on."""
        call = self._get("/v1/cluster/info", {"detailed": "true"})
        return self._transport.request(call, list[wire.ClusterNode])

    def workers(self) -> list[wire.WorkerModels]:
        """Which replicas run on which worker, as the workers themselves say; needs an admin where auth is on."""
        return self._transport.request(self._get("/v1/workers"), list[wire.WorkerModels])

    # Models

    def models(self) -> list[wire.RunningModel]:
        """What is ready now (Xinference renews this answer every 3 s)."""
        return self._transport.request(self._get("/v1/models"), wire.RunningModels).data

    def model(self, uid: str) -> wire.RunningModel:
        """One that is ready; NotFound, or NotReady while it loads."""
        answer = self._transport.request(self._get(f"/v1/models/{_name(uid)}"), dict[str, Any])
        return wire.RunningModel.model_validate({"id": uid, **answer})

    def instances(self) -> list[wire.Instance]:
        """Everything that was launched, in any state, failed launches included."""
        return self._transport.request(self._get("/v1/models/instances"), list[wire.Instance])

    def replicas(self, uid: str) -> list[wire.ReplicaStatus]:
        """The replicas of one model in any state; empty for an unknown uid."""
        return self._transport.request(self._get(f"/v1/models/{_name(uid)}/replicas"), list[wire.ReplicaStatus])

    def progress(self, uid: str) -> wire.Progress:
        """How far a launch is; `0.0` and `pending` for an unknown uid."""
        return self._transport.request(self._get(f"/v1/models/{_name(uid)}/progress"), wire.Progress)

    def events(self, uid: str) -> list[wire.Event]:
        """The last hundred events of one model, oldest first; empty for an unknown uid."""
        return self._transport.request(self._get(f"/v1/models/{_name(uid)}/events"), list[wire.Event])

    def autostart(self) -> list[wire.AutostartEntry]:
        """What Xinference launches by itself when a worker joins."""
        return self._transport.request(self._get("/v1/autostart/models/summary"), wire.Autostart).models

    def log_sources(self) -> list[wire.LogSource]:
        """The processes whose logs can be read; needs an admin where auth is on."""
        return self._transport.request(self._get("/v1/cluster/runtime-logs/sources"), wire.LogSources).sources

    def log(self, source: str, cursor: str = "") -> wire.LogPart:
        """The end of a process's log, or what follows `cursor`; NotFound if there is no such source."""
        call = self._get("/v1/cluster/runtime-logs", {"source": source, "cursor": cursor})
        return self._transport.request(call, wire.LogPart)

    def cached_models(self) -> list[wire.CachedModel]:
        """Weights that the workers hold on disk."""
        return self._transport.request(self._get("/v1/cache/models"), wire.CachedModels).list

    def launch(self, body: Mapping[str, Any], wait_ready: bool = False, timeout: float = LAUNCH_TIMEOUT) -> str:
        """The uid of what is being launched, or with `wait_ready` of what is ready.

        AlreadyRunning if the uid is taken, Rejected for a wrong body, LaunchFailed with the reason if it
        waited and the model did not load.
        """
        params = {"wait_ready": "true" if wait_ready else "false"}
        call = Call("POST", "/v1/models", dict(body), params, timeout if wait_ready else STOP_TIMEOUT)
        try:
            return self._transport.request(call, wire.Launched).model_uid
        except ServerFailed as error:
            name = body.get("model_uid") or body.get("model_name")
            message = f"`{name}` did not load: {error.message}"
            raise LaunchFailed(message, details=error.details) from error

    def terminate(self, uid: str) -> None:
        """Stop a model and all its replicas; NotFound if there is none."""
        self._transport.request(Call("DELETE", f"/v1/models/{_name(uid)}", timeout=STOP_TIMEOUT), object)

    def add_replicas(self, uid: str, places: Sequence[Mapping[str, Any]]) -> None:
        """Start a replica at each place (an entry of `replica_config`), and wait until they are loaded.

        LaunchFailed with the reason if one does not load: then none of them stays.
        """
        body = {"replica": len(places), "replica_config": [dict(place) for place in places]}
        call = Call("POST", f"/v1/models/{_name(uid)}/replicas", body, timeout=LAUNCH_TIMEOUT)
        try:
            self._transport.request(call, object)
        except ServerFailed as error:
            message = f"no replica could be added to `{uid}`: {error.message}"
            raise LaunchFailed(message, details=error.details) from error

    def remove_replica(self, uid: str, number: int) -> None:
        """Stop one replica, or forget one that is gone; NotFound if there is none. The last one ends the model."""
        call = Call("DELETE", f"/v1/models/{_name(uid)}/replicas/{number}", timeout=STOP_TIMEOUT)
        self._transport.request(call, object)

    def cancel(self, uid: str) -> None:
        """Stop a launch under way; NotFound if there is none. A model that is ready is left alone.

        Xinference 4.1.0 cancels that too, but only forgets it: the process lives on and shows as READY.
        """
        with contextlib.suppress(NotReady, NotFound):
            self.model(uid)
            return
        call = Call("POST", f"/v1/models/{_name(uid)}/cancel", timeout=STOP_TIMEOUT)
        self._transport.request(call, object)

    # Registrations and engines

    def registrations(self, model_type: ModelType, timeout: float | None = None) -> list[wire.Registration]:
        """Names known for this type, built-in and custom; empty while no worker is connected."""
        call = Call("GET", f"/v1/model_registrations/{model_type}", timeout=timeout or self._timeout)
        return self._transport.request(call, list[wire.Registration])

    def registration(self, model_type: ModelType, name: str) -> dict[str, Any] | None:
        """The whole family of that name, as it can be registered again; None if there is none."""
        try:
            call = self._get(f"/v1/model_registrations/{model_type}/{_name(name)}")
            return self._transport.request(call, dict[str, Any])
        except NotFound:
            return None

    def register(self, model_type: ModelType, family: Mapping[str, Any], persist: bool = True) -> None:
        """Make a custom family known on all present workers; Rejected if it is wrong or its name is taken."""
        body = {"model": json.dumps(family), "persist": persist}
        call = Call("POST", f"/v1/model_registrations/{model_type}", body, timeout=self._timeout)
        self._transport.request(call, object)

    def unregister(self, model_type: ModelType, name: str) -> None:
        """Forget a custom family; says nothing if there is none. Running models stay."""
        call = Call("DELETE", f"/v1/model_registrations/{model_type}/{_name(name)}", timeout=self._timeout)
        self._transport.request(call, object)

    def engines(self, model_type: ModelType, name: str, virtual_env: bool | None = None) -> wire.Engines:
        """Per engine what it can load of a model, or why it cannot; empty for an unknown name.

        `virtual_env` asks as if engines came in virtual environments (True) or not (False); None leaves it to
        the server's own setting.
        """
        params = None if virtual_env is None else {"enable_virtual_env": "true" if virtual_env else "false"}
        call = self._get(f"/v1/engines/{model_type}/{_name(name)}", params)
        return self._transport.request(call, wire.EnginesAnswer).root or {}

    # The Web UI's launch forms

    def launch_history(self, model_name: str) -> list[wire.RecordedLaunch]:
        """What the form of a model can be filled with, newest first: the entries of the user who asks."""
        params = {"model_name": model_name, "scope": "mine"}
        call = Call("GET", "/v1/launch_history", params=params, timeout=FORM_TIMEOUT)
        return self._transport.request(call, list[wire.RecordedLaunch])

    def record_launch(self, model_name: str, uid: str, values: Mapping[str, Any]) -> None:
        """Fill a model's form in for the user who asks, in place of what was kept of the same uid."""
        # Left out, `ui_data` stays what the Web UI kept before, and wins over the values.
        body = {"model_name": model_name, "model_uid": uid, "data": dict(values), "ui_data": {}}
        self._transport.request(Call("POST", "/v1/launch_history", body, timeout=FORM_TIMEOUT), object)

    # The extension

    def extension(self) -> wire.ExtensionVersion | None:
        """The extension's version; None where the endpoint has none. Open to everyone."""
        # A stock Xinference 4.1.0 answers 404 with a page of its Web UI, one without the Web UI 404 as JSON.
        call = Call("GET", "/biai/version", timeout=LIVENESS_TIMEOUT, open_route=True)
        try:
            return self._transport.request(call, wire.ExtensionVersion)
        except NotXinference:
            return None

    def upstreams(self) -> list[wire.Upstream]:
        """The models that other servers run, with the health of each server."""
        return self._of_extension(self._get("/biai/upstreams"), wire.Upstreams).upstreams

    def put_upstream(self, upstream: Upstream) -> wire.Upstream:
        """Serve an upstream, in place of the one of that name; needs an admin where auth is on."""
        body = upstream.model_dump(mode="json", exclude_defaults=True)
        return self._of_extension(self._put(f"/biai/upstreams/{_name(upstream.name)}", body), wire.Upstream)

    def remove_upstream(self, name: str) -> None:
        """Serve it no longer; NotFound if there is none of that name."""
        call = Call("DELETE", f"/biai/upstreams/{_name(name)}", timeout=self._timeout)
        self._of_extension(call, object)

    def put_served_model(self, model: ServedModel) -> None:
        """Tell the endpoint what a launch proved of a model that runs."""
        body = model.model_dump(mode="json", exclude_defaults=True)
        self._of_extension(self._put(f"/biai/models/{_name(model.uid)}", body), object)

    def forget_served_model(self, uid: str) -> None:
        """Take back what `put_served_model` told; NotFound if nothing was told."""
        self._of_extension(Call("DELETE", f"/biai/models/{_name(uid)}", timeout=self._timeout), object)

    def forget_worker(self, address: str) -> None:
        """Let the endpoint take a worker for dead at once; Rejected where it answers there, needs an admin."""
        call = Call("DELETE", f"/biai/workers/{_name(address)}", timeout=self._timeout)
        self._of_extension(call, object)

    def endpoint_status(self) -> wire.EndpointStatus:
        """What the workers say of their machines; the endpoint gives each of them a few seconds."""
        return self._of_extension(Call("GET", "/biai/status", timeout=LIVENESS_TIMEOUT), wire.EndpointStatus)

    # Users

    def needs_setup(self) -> bool:
        """Whether it still waits for its first user; nothing else works before."""
        call = Call("GET", "/v1/admin/setup/status", timeout=LIVENESS_TIMEOUT, open_route=True)
        return self._transport.request(call, wire.SetupStatus).needs_setup

    def setup_admin(self, setup_token: str, username: str, password: str) -> None:
        """Create the first user with the token from the server's log; Forbidden if that is wrong or spent."""
        body = {"setup_token": setup_token, "username": username, "password": password}
        self._transport.request(Call("POST", "/v1/admin/setup", body, open_route=True), object)

    def login(self) -> Credentials:
        """Trade username and password for tokens that can be saved; AuthFailed if they are wrong."""
        if not self.auth_enabled():
            raise Rejected(f"`{self.endpoint}` asks for no login")
        if self._transport.bearer is None:
            raise AuthFailed("no username and password to log in with", hint=CREDENTIALS_HINT)
        return self._transport.bearer.login()

    def create_api_key(
        self,
        name: str,
        description: str | None = None,
        expires_at: str | None = None,
        models: Sequence[str] | None = None,
    ) -> wire.ApiKey:
        """A key that may list and ask models (`models`: just these uids), and nothing else; needs a user who may."""
        body: dict[str, Any] = {"name": name, "description": description, "expires_at": expires_at}
        if models is not None:
            body["model_permissions"] = [{"permission_type": "model_id", "permission_value": uid} for uid in models]
        return self._transport.request(Call("POST", "/v1/admin/keys", body, timeout=self._timeout), wire.ApiKey)

    # Asking a model

    def chat(
        self,
        uid: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float = ANSWER_TIMEOUT,
        **options: Any,
    ) -> wire.ChatAnswer:
        """One answer; `options` go into the body (`temperature`, `max_tokens`, `response_format`, ...)."""
        body = {**options, "model": uid, "messages": list(messages), "stream": False}
        call = Call("POST", "/v1/chat/completions", body, timeout=timeout)
        return self._transport.request(call, wire.ChatAnswer)

    def embed(self, uid: str, inputs: Sequence[str], timeout: float = ANSWER_TIMEOUT) -> list[list[float]]:
        """One vector per input, in the order of the inputs."""
        body = {"model": uid, "input": list(inputs)}
        # The same text gets the same vector.
        call = Call("POST", "/v1/embeddings", body, timeout=timeout, repeatable=True)
        answer = self._transport.request(call, wire.Embeddings)
        return [entry.embedding for entry in sorted(answer.data, key=lambda entry: entry.index)]

    def rerank(
        self, uid: str, query: str, documents: Sequence[str], timeout: float = ANSWER_TIMEOUT
    ) -> list[tuple[int, float]]:
        """Each document's index and score, the most relevant first."""
        body = {"model": uid, "query": query, "documents": list(documents)}
        answer = self._transport.request(Call("POST", "/v1/rerank", body, timeout=timeout), wire.Reranking)
        ranked = sorted(answer.results, key=lambda entry: entry.relevance_score, reverse=True)
        return [(entry.index, entry.relevance_score) for entry in ranked]

    # The web interface

    def ui_url(self, path: str = "/") -> str:
        """A page of Xinference's own web interface, such as `/running-model/sql-coder`."""
        return f"{self.endpoint}/{path.lstrip('/')}"

    def _of_extension(self, call: Call, shape: type[T]) -> T:
        try:
            return self._transport.request(call, shape)
        except NotXinference as error:
            message = f"`{self.endpoint}` has no biai-xinf extension, which serves this"
            raise NoExtension(message, status=error.status, hint=_EXTENSION_HINT) from error

    def _put(self, path: str, body: Mapping[str, Any]) -> Call:
        return Call("PUT", path, dict(body), timeout=self._timeout)

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Call:
        return Call("GET", path, params=params, timeout=self._timeout)


_EXTENSION_HINT = (
    "`biai-xinf up` has it on; on a cluster install biai-xinf for the supervisor and every worker, and export "
    "XINFERENCE_EXTENSIONS=biai_xinf.extension:create for each of them"
)


def _name(text: str) -> str:
    """A uid or name as one step of a path."""
    return quote(text, safe="")
