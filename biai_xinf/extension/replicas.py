"""Which replica of a native model gets a request, and which are avoided because they died.

Xinference 4.1.0 sends requests round-robin, to dead replicas as well until it has noticed (about 25 s), and asks the
first replica to describe its model before every chat. Its handlers get all that from the supervisor, so we hand
them a supervisor that answers these two questions from what is known here, and passes everything else on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from biai_xinf.extension.workers import WORKER_UID

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long Xinference's word on which replicas there are is believed.
TABLE_S = 2.0
# A replica that lives answers within milliseconds.
ANSWER_S = 3.0
# A machine that lost its power or its network closes no connection. A replica that works on requests and does not
# answer this often in a row is taken for gone, if its worker does not answer either.
MISSES = 3
# Beside a worker that lives, a silent replica computes: llama.cpp's embeddings of 600 long texts keep a whole process
# busy (seen for 14 s on two cores). One that is silent this long hangs.
COMPUTES_S = 300.0
# What is true of a replica for as long as it lives.
FACTS = frozenset({"is_vllm_backend", "is_transformers_batching_enabled"})
CALLS = frozenset({"chat", "generate", "create_embedding", "rerank"})


@dataclass(eq=False)
class Replica:
    """One replica: where it is, how busy, and why it is avoided (`reason`, since `since`; None: it is not)."""

    uid: str
    name: str
    worker: str
    # When it was launched: a later one of the same name is another.
    created: int = 0
    reason: str | None = None
    since: float = 0.0
    in_flight: int = 0
    served: int = 0
    model: Any = None
    description: Mapping[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    misses: int = 0
    silent_since: float | None = None
    # Set while it is taken for gone, for those that wait for its answer.
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Attempt:
    """One try at a request: the replica it went to, and what went wrong there.

    `lost` says that the replica could not be talked to, so another one may do better; otherwise `error` is the
    engine's own word on the request.
    """

    avoid: Collection[str] = ()
    replica: Replica | None = None
    error: BaseException | None = None
    lost: bool = False


ATTEMPT: ContextVar[Attempt | None] = ContextVar("biai_xinf_attempt", default=None)


class ReplicaGone(Exception):
    """It was given a request and does not answer any more, not even whether it lives."""


class NoReplica(Exception):
    """Every replica of a model is down. Not a ValueError: Xinference takes those for an unknown model, for 10 s."""


@dataclass
class _Table:
    replicas: dict[str, Replica]
    read_at: float
    reading: asyncio.Task[bool | None] | None = None
    # Sharded over workers, or split in prefill and decode: Xinference itself must route these.
    left_alone: bool = False


class Replicas:
    """The replicas of every model, as Xinference lists them and as requests found them."""

    def __init__(self, supervisor: Callable[[], Awaitable[Any]]) -> None:
        self._supervisor = supervisor
        self._tables: dict[str, _Table] = {}

    def known(self, uid: str) -> list[Replica]:
        """What is known of a model's replicas, without asking."""
        table = self._tables.get(uid)
        return list(table.replicas.values()) if table else []

    def healthy(self, uid: str, avoid: Collection[str] = ()) -> list[Replica]:
        """Those that a request may go to."""
        return [replica for replica in self.known(uid) if replica.reason is None and replica.name not in avoid]

    def lost(self, replica: Replica, reason: str) -> None:
        """A request found a replica dead: avoid it until it answers."""
        if replica.reason is None:
            log.warning("%s is avoided until it answers: %s", replica.name, reason)
            replica.reason, replica.since = reason, time.monotonic()
        replica.model = replica.description = None
        replica.facts.clear()

    def lost_worker(self, address: str) -> None:
        """A worker is dead: avoid everything that runs on it, and give up what waits there for an answer."""
        for uid in self._tables:
            for replica in self.known(uid):
                if replica.worker == address:
                    self.lost(replica, "its worker is dead")
                    replica.gone.set()

    async def unknown(self, uid: str) -> bool:
        """Whether the supervisor says that it never heard of a model."""
        return await self._read(uid) is False

    async def choose(self, uid: str) -> tuple[Replica, Any] | None:
        """The replica for the current attempt and its model; None where Xinference must route by itself."""
        attempt = ATTEMPT.get()
        table = await self._table(uid)
        if table is None or table.left_alone or attempt is None:
            return None
        while candidates := self.healthy(uid, attempt.avoid):
            replica = min(candidates, key=lambda one: (one.in_flight, one.served))
            try:
                model = await self._model(replica)
            except Exception as error:  # noqa: BLE001  whatever the actor system raises, the replica cannot be had
                self.lost(replica, f"{type(error).__name__}: {error}")
                continue
            attempt.replica = replica
            return replica, model
        attempt.lost = True
        raise NoReplica(f"every replica of {uid} is down")

    async def describe(self, uid: str) -> Mapping[str, Any] | None:
        """What Xinference says of a model, from any replica that answers; None where it must be asked itself."""
        table = await self._table(uid)
        if table is None or table.left_alone:
            return None
        attempt = ATTEMPT.get()
        first = attempt.replica if attempt and attempt.replica else None
        for replica in [first] if first else self.healthy(uid):
            if replica.description is None:
                try:
                    worker = await _worker(replica.worker)
                    replica.description = await _within(worker.describe_model(replica.name), ANSWER_S)
                except Exception as error:  # noqa: BLE001  as above
                    self.lost(replica, f"{type(error).__name__}: {error}")
                    continue
            return {**(replica.description or {}), "replica": len(table.replicas)}
        return None

    async def probe(self, uid: str | None = None) -> None:
        """Ask every avoided replica, or those of one model, whether it is back."""
        uids = list(self._tables) if uid is None else [uid]
        avoided = [replica for each in uids for replica in self.known(each) if replica.reason]
        await asyncio.gather(*(self._probe(replica) for replica in avoided))

    async def watch(self) -> None:
        """Ask every replica that works on a request whether it lives."""
        working = [replica for uid in self._tables for replica in self.known(uid) if replica.in_flight]
        await asyncio.gather(*(self._watch(replica) for replica in working if replica.reason is None))

    async def _watch(self, replica: Replica) -> None:
        # Both at once: a machine that hangs answers neither, and each question takes as long as it may.
        model, worker = await asyncio.gather(
            self._lives(replica), self._is_on_its_worker(replica), return_exceptions=True
        )
        if isinstance(model, TimeoutError):
            self._miss(replica, computes=worker is True)
        elif isinstance(model, BaseException):
            # Its requests fail by themselves, and say so.
            log.debug("%s does not answer: %s", replica.name, model)
        else:
            replica.misses, replica.silent_since = 0, None

    def _miss(self, replica: Replica, *, computes: bool) -> None:
        replica.silent_since = replica.silent_since or time.monotonic()
        replica.misses = 0 if computes else replica.misses + 1
        silent_s = time.monotonic() - replica.silent_since
        if replica.misses >= MISSES or silent_s >= COMPUTES_S:
            self.lost(replica, f"no sign of life for {max(silent_s, MISSES * ANSWER_S):.0f} s")
            replica.gone.set()

    async def _lives(self, replica: Replica) -> None:
        await _within((await self._model(replica)).get_pid(), ANSWER_S)

    async def _is_on_its_worker(self, replica: Replica) -> bool:
        await _within((await _worker(replica.worker)).get_model(replica.name), ANSWER_S)
        return True

    async def _probe(self, replica: Replica) -> None:
        try:
            await self._lives(replica)
        except Exception as error:  # noqa: BLE001  as above
            replica.model = None
            log.debug("%s does not answer yet: %s", replica.name, error)
        else:
            log.info("%s answers again", replica.name)
            replica.reason, replica.since = None, time.monotonic()
            replica.misses, replica.silent_since = 0, None
            replica.gone.clear()

    async def _model(self, replica: Replica) -> Any:
        if replica.model is None:
            worker = await _worker(replica.worker)
            replica.model = await _within(worker.get_model(replica.name), ANSWER_S)
        return replica.model

    async def _table(self, uid: str) -> _Table | None:
        table = self._tables.get(uid)
        if table is None:
            await self._read(uid)
        elif time.monotonic() - table.read_at > TABLE_S and (table.reading is None or table.reading.done()):
            # The old word does until the new one is there.
            table.reading = asyncio.create_task(self._read(uid))
        return self._tables.get(uid)

    async def _read(self, uid: str) -> bool | None:
        """Renew the table; whether the supervisor knows the model, None if it did not answer."""
        try:
            supervisor = await self._supervisor()
            instances = await _within(supervisor.get_instance_info(None, uid), ANSWER_S)
        except Exception as error:  # noqa: BLE001  what was known stays true until the supervisor says otherwise
            log.debug("the supervisor does not say which replicas %s has: %s", uid, error)
            return None
        old = self._tables.get(uid)
        if not instances:
            self._tables.pop(uid, None)
            return False
        instance = instances[0]
        replicas = {
            status["replica_model_uid"]: Replica(
                uid, status["replica_model_uid"], status["worker_address"], status.get("created_ts", 0)
            )
            for status in instance["replica_statuses"]
            if status["status"] == "READY"
        }
        if old:
            for name, replica in replicas.items():
                kept = old.replicas.get(name)
                if kept is not None and (kept.worker, kept.created) == (replica.worker, replica.created):
                    replicas[name] = kept
        left_alone = (instance.get("n_worker") or 1) > 1 or not replicas
        self._tables[uid] = _Table(replicas, time.monotonic(), left_alone=left_alone)
        return True


class RoutedSupervisor:
    """The supervisor as Xinference's handlers see it: ours for two questions, its own for all others."""

    def __init__(self, supervisor: Any, replicas: Replicas) -> None:
        self._supervisor = supervisor
        self._replicas = replicas

    def __getattr__(self, name: str) -> Any:
        return getattr(self._supervisor, name)

    async def get_model(self, model_uid: str, **metadata: Any) -> Any:
        """The model actor of the replica that this request goes to."""
        chosen = await self._replicas.choose(model_uid)
        if chosen is not None:
            return _WatchedModel(*chosen)
        try:
            return await self._supervisor.get_model(model_uid, **metadata)
        except Exception as error:
            attempt = ATTEMPT.get()
            # A model that nobody knows, or that is still loading, is said to be just that.
            if (
                attempt is not None
                and not isinstance(error, ValueError)
                and type(error).__name__ != "ModelNotReadyError"
            ):
                attempt.error, attempt.lost = error, True
            raise

    async def describe_model(self, model_uid: str, **metadata: Any) -> Any:
        """What that replica's worker says of it."""
        description = await self._replicas.describe(model_uid)
        return description or await self._supervisor.describe_model(model_uid, **metadata)


class _WatchedModel:
    """A model actor whose failures are noted in the current attempt, which the gate reads."""

    def __init__(self, replica: Replica, model: Any) -> None:
        self._replica = replica
        self._model = model

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._model, name)
        return self._watched(method, name) if callable(method) else method

    def _watched(self, method: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if name in self._replica.facts:
                return self._replica.facts[name]
            counted = name in CALLS
            self._replica.in_flight += counted
            self._replica.served += counted
            try:
                result = await (self._answer(method(*args, **kwargs)) if counted else method(*args, **kwargs))
            except BaseException as error:
                self._note(error)
                self._replica.in_flight -= counted
                raise
            if counted and hasattr(result, "__aiter__"):
                return self._stream(result)
            self._replica.in_flight -= counted
            if name in FACTS:
                self._replica.facts[name] = result
            return result

        return call

    async def _stream(self, events: AsyncIterator[Any]) -> AsyncIterator[Any]:
        # xoscar 0.12 ends a stream in the destructor of its iterator, by a call for which the event loop stands
        # still: for ever, where the replica hangs. So it is ended here, and not there.
        if hasattr(events, "_gc_destroy"):
            events._gc_destroy = False
        try:
            while True:
                try:
                    yield await self._answer(events.__anext__())
                except StopAsyncIteration:
                    return
        except Exception as error:
            self._note(error)
            raise
        finally:
            self._replica.in_flight -= 1
            destroy = getattr(events, "destroy", None)
            # One that hangs would not hear of it.
            if destroy is not None and not self._replica.gone.is_set():
                ending = asyncio.create_task(_end(destroy))
                _endings.add(ending)
                ending.add_done_callback(_endings.discard)

    async def _answer(self, call: Awaitable[T]) -> T:
        """What the replica answers; ReplicaGone as soon as it is taken for gone."""
        answering = asyncio.ensure_future(call)
        leaving = asyncio.ensure_future(self._replica.gone.wait())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            raise ReplicaGone(f"{self._replica.name} gives no sign of life")
        finally:
            leaving.cancel()
            answering.cancel()

    def _note(self, error: BaseException) -> None:
        attempt = ATTEMPT.get()
        if attempt is not None:
            attempt.error = error
            attempt.lost = died(error)


# Kept, for asyncio itself keeps no task alive.
_endings: set[asyncio.Task[None]] = set()


async def _end(destroy: Callable[[], Awaitable[None]]) -> None:
    try:
        await _within(destroy(), ANSWER_S)
    except Exception as error:  # noqa: BLE001  the stream is over, whatever its replica says
        log.debug("a stream could not be ended where it came from: %s", error)


async def _within(call: Awaitable[T], seconds: float) -> T:
    """Its result, or TimeoutError. A call to a process that hangs cannot be cancelled, so it is let go."""
    task = asyncio.ensure_future(call)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        task.cancel()
        raise TimeoutError(f"no answer within {seconds:g} s")
    return task.result()


async def _worker(address: str) -> Any:
    # Only in Xinference's process, where it is loaded.
    import xoscar

    return await _within(xoscar.actor_ref(address=address, uid=WORKER_UID), ANSWER_S)


def died(error: BaseException) -> bool:
    """Whether an exception of a call to a replica says that nobody is there any more."""
    if isinstance(error, (ReplicaGone, ConnectionError, EOFError, asyncio.IncompleteReadError)):
        return True
    return type(error).__name__ in ("ServerClosed", "ActorNotExist", "SendMessageFailed", "ProcessPoolDied")
