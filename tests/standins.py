"""Stand-ins: one small server per provider on a real loopback socket, with its documented protocol and quirks.

    with StandIn("lm-studio", model="m", answer="SELECT 1", chunks=3) as server:
        requests.post(f"{server.url}/v1/chat/completions", json={...})
        assert server.requests == [{...}]
        server.fault = "die-mid-stream"      # from now on; None heals it

What a provider does stands in `tests/standin_table.py`, apart from `biai_xinf/providers`, so that the tests
compare two readings of the documentation and not one with itself.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.standin_table import BEHAVIOURS, Behaviour, Body, Refusal

Fault = Literal[
    "refuse",  # nothing listens
    "hang",  # accepts, reads, never answers
    "close",  # closes the connection instead of answering
    "die-mid-stream",  # half of the events (or of a body), then the connection breaks off
    "hang-mid-stream",  # half of the events, then silence
    "bad-chunk",  # one event in the middle is no JSON
    "error-event",  # half of the events, then an error object as an event, and the end
    "429",  # with Retry-After: 2
    "503",
    "500",
    "500-text",  # a traceback as text/plain
    "401",
    "404",
    "200-error",  # status 200 with an error object in place of an answer, whatever was asked
    "empty",  # status 200 and no byte
    "not-json",  # status 200, application/json, and no JSON in it
    "slow-first-token",  # the headers at once, the first token after `slow` seconds
    "huge-body",  # an answer of `huge` bytes
    "wrong-type",  # a page of HTML with status 200
]


@dataclass(frozen=True)
class Call:
    """One request as it came in; header names in lower case, `body` None where there was no JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class StandIn:
    """One server of `provider`. Its public attributes are knobs: read and change them at any time.

    `answer` is what every chat says, in `chunks` events when streamed, `delay` seconds apart. `key` makes it ask
    for that key, `lies` makes it answer 200 and ignore whatever was asked. `slow` and `huge` belong to the faults of
    those names. A `fault` strikes the next `times` inference requests, or all of them; "refuse" and "hang" strike
    every route. `requests` are the bodies of inference requests in order, `calls` every request.
    """

    def __init__(
        self,
        provider: str,
        *,
        model: str = "m",
        fault: Fault | None = None,
        times: int | None = None,
        answer: str = "The answer is 42.",
        chunks: int = 4,
        delay: float = 0.0,
        key: str | None = None,
        context: int = 4096,
        dimensions: int = 8,
        slow: float = 1.0,
        huge: int = 32 * 2**20,
        lies: bool = False,
    ) -> None:
        self.provider = provider
        self.behaviour = BEHAVIOURS[provider]
        self.model = model
        self.answer, self.chunks, self.delay = answer, chunks, delay
        self.key, self.context, self.dimensions = key, context, dimensions
        self.slow, self.huge, self.lies = slow, huge, lies
        self.times = times
        self.calls: list[Call] = []
        self.requests: list[Any] = []
        self.in_flight = 0
        self.cut_off = 0
        """How many answers the client did not wait for."""
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server: _Server | None = _Server(self, 0)
        self._port: int = self._server.server_address[1]
        self.fault = fault

    def __enter__(self) -> StandIn:
        if self._server is not None:
            self._serve(self._server)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._stop()

    @property
    def url(self) -> str:
        """Its base address, without `/v1`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        if fault == "refuse":
            self._stop()
        elif self._server is None and not self._ended.is_set():
            self._server = _Server(self, self._port)
            self._serve(self._server)

    def strikes(self, *, inference: bool) -> Fault | None:
        """The fault that this request meets; counts it."""
        with self._lock:
            if self._fault is None or self.times == 0 or (not inference and self._fault != "hang"):
                return None
            if self.times is not None and inference:
                self.times -= 1
            return self._fault

    def wait(self, seconds: float) -> None:
        """A pause that the end of the stand-in cuts short."""
        self._ended.wait(seconds)

    def count(self, change: int) -> None:
        with self._lock:
            self.in_flight += change

    def _serve(self, server: _Server) -> None:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.serving = True

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            if server.serving:
                server.shutdown()
            server.server_close()
            server.drop_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, stand_in: StandIn, port: int) -> None:
        self.stand_in = stand_in
        self.serving = False
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        self._open.add(accepted)
        return accepted, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        # Kept-alive connections would go on answering after the server is gone.
        for connection in list(self._open):
            _reset(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


def _reset(connection: socket.socket) -> None:
    """Breaks the connection off, as a killed process does."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class _BreakOff(Exception):
    """Ends the connection without another word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""

    def _handle(self) -> None:
        stand_in = self.server.stand_in
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in self.headers.items()}
        stand_in.calls.append(Call(self.command, path, headers, body))
        stand_in.count(+1)
        try:
            self._answer(stand_in, path, headers, body)
        except _BreakOff:
            self.close_connection = True
            _reset(self.connection)
        except (BrokenPipeError, ConnectionResetError):
            stand_in.cut_off += 1
            self.close_connection = True
        finally:
            stand_in.count(-1)

    def _answer(self, stand_in: StandIn, path: str, headers: dict[str, str], body: Any) -> None:
        behaviour = stand_in.behaviour
        kind = behaviour.kind_of(path) if self.command == "POST" else None
        if kind is not None:
            stand_in.requests.append(body)
        fault = stand_in.strikes(inference=kind is not None)
        if fault == "hang":
            stand_in.wait(600)
            raise _BreakOff
        if fault == "close":
            raise _BreakOff
        if not self._is_allowed(stand_in, path, headers):
            return self._json(401, behaviour.error(401, "Incorrect API key provided"))
        if kind is None:
            return self._other(stand_in, path)
        if fault is not None and self._fails_at_once(stand_in, fault):
            return None
        if (refusal := _refusal(stand_in, kind, body)) is not None:
            return self._json(refusal.status, refusal.body or behaviour.error(refusal.status, refusal.message))
        if kind in ("chat", "completions", "responses") and body.get("stream"):
            return self._stream(stand_in, fault, list(_events(stand_in, kind, body)), with_done=kind != "responses")
        answer = _whole(stand_in, kind, body)
        if fault == "slow-first-token":
            stand_in.wait(stand_in.slow)
        if fault == "huge-body" and kind == "chat":
            answer["choices"][0]["message"]["content"] = "x" * stand_in.huge
        if fault in ("die-mid-stream", "hang-mid-stream"):
            return self._half(stand_in, fault, answer)
        return self._json(200, answer)

    def _is_allowed(self, stand_in: StandIn, path: str, headers: dict[str, str]) -> bool:
        if stand_in.key is None or path in stand_in.behaviour.open_routes:
            return True
        sent = {headers.get("authorization", "").removeprefix("Bearer ")}
        sent |= {headers[name] for name in stand_in.behaviour.key_headers if name in headers}
        return stand_in.key in sent

    def _other(self, stand_in: StandIn, path: str) -> None:
        behaviour = stand_in.behaviour
        others = {name: make(stand_in.model, stand_in.context) for name, make in behaviour.pages.items()}
        if path in others and self.command in ("GET", "HEAD"):
            page = others[path]
            return self._text(200, page) if isinstance(page, str) else self._json(200, page)
        return self._json(404, behaviour.error(404, "Not Found"))

    def _fails_at_once(self, stand_in: StandIn, fault: Fault) -> bool:
        error = stand_in.behaviour.error
        if fault in ("401", "404", "500", "503"):
            self._json(int(fault), error(int(fault), f"stand-in answers {fault}"))
        elif fault == "429":
            self._json(429, error(429, "too many requests"), {"Retry-After": "2"})
        elif fault == "500-text":
            self._text(500, "Traceback (most recent call last):\n  ...\nRuntimeError: boom")
        elif fault == "200-error":
            self._json(200, error(500, "the model runner has stopped"))
        elif fault == "wrong-type":
            self._text(200, "<html><body>Welcome</body></html>", "text/html")
        elif fault == "not-json":
            self._text(200, '{"id": "chatcmpl-1", "choices": [', "application/json")
        elif fault == "empty":
            self._text(200, "", "application/json")
        else:
            return False
        return True

    def _stream(self, stand_in: StandIn, fault: Fault | None, events: list[Body], with_done: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", stand_in.behaviour.stream_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault == "slow-first-token":
            stand_in.wait(stand_in.slow)
        if fault == "huge-body":
            events[1:1] = [events[1]] * (stand_in.huge // max(1, len(json.dumps(events[1]))))
        half = max(1, len(events) // 2)
        for position, event in enumerate(events):
            if position == half and fault == "die-mid-stream":
                raise _BreakOff
            if position == half and fault == "hang-mid-stream":
                stand_in.wait(600)
                raise _BreakOff
            if position == half and fault == "error-event":
                self._chunk(_sse(stand_in.behaviour.error(500, "the model runner has stopped")))
                break
            if position == half and fault == "bad-chunk":
                self._chunk(b'data: {"id": "chatcmpl-1", "choi\n\n')
            if position:
                time.sleep(stand_in.delay)
            self._chunk(_sse(event) + stand_in.behaviour.extra)
        if stand_in.behaviour.done and with_done:
            self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _half(self, stand_in: StandIn, fault: Fault, answer: Body) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        if fault == "hang-mid-stream":
            stand_in.wait(600)
        raise _BreakOff

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._text(status, json.dumps(body), "application/json", headers)

    def _text(
        self, status: int, text: str, content_type: str = "text/plain", headers: dict[str, str] | None = None
    ) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _sse(event: Body) -> bytes:
    # The Responses API names its events; the other streams have only data.
    name = f"event: {event['type']}\n" if str(event.get("type", "")).startswith("response.") else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def _refusal(stand_in: StandIn, kind: str, body: Any) -> Refusal | None:
    behaviour = stand_in.behaviour
    if not isinstance(body, dict):
        return Refusal(400, "the request body is no JSON object")
    if behaviour.checks_model and body.get("model") != stand_in.model:
        return Refusal(404, f"model '{body.get('model')}' not found")
    for parameter, refusal in behaviour.rejects.items():
        if parameter == "*" and (unknown := sorted(set(body) - behaviour.knows)):
            return Refusal(refusal.status, f"{refusal.message}: {unknown[0]}", refusal.body)
        if _given(body, parameter):
            return refusal
    prompt_tokens = _tokens(json.dumps(body.get("messages") or body.get("prompt") or ""))
    if kind in ("chat", "completions") and prompt_tokens > stand_in.context:
        return Refusal(400, f"the prompt has {prompt_tokens} tokens, the context {stand_in.context}")
    return None


def _given(body: Body, parameter: str) -> bool:
    """Whether the body has it; what the names mean is said at `Behaviour`."""
    chosen = body.get("response_format")
    if parameter == "n>1":
        return isinstance(body.get("n"), int) and body["n"] > 1
    if parameter == "stream_options-without-stream":
        return bool(body.get("stream_options")) and not body.get("stream")
    if parameter == "response_format-without-value":
        return isinstance(chosen, dict) and "value" not in chosen
    if parameter.startswith("response_format."):
        return isinstance(chosen, dict) and chosen.get("type") == parameter.partition(".")[2]
    if parameter.endswith("=str"):
        return isinstance(body.get(parameter[:-4]), str)
    return body.get(parameter) not in (None, False)


def _whole(stand_in: StandIn, kind: str, body: Body) -> Body:
    if kind == "embeddings":
        return _embeddings(stand_in, body)
    if kind == "rerank":
        return _ranking(stand_in, body)
    text = _text_of(stand_in, body)
    usage = _usage(body, text)
    if kind == "responses":
        return _response(stand_in, text, usage, "completed")
    count = int(body.get("n") or 1) if stand_in.behaviour.supports_n and not stand_in.lies else 1
    choices = [_choice(stand_in, kind, body, text, index) for index in range(count)]
    shape = "chat.completion" if kind == "chat" else "text_completion"
    answer = {"id": f"{shape}-1", "object": shape, "created": 1, "model": stand_in.behaviour.says_model(stand_in.model)}
    return {**answer, "choices": choices, "usage": usage}


def _choice(stand_in: StandIn, kind: str, body: Body, text: str, index: int) -> Body:
    choice: Body = {"index": index, "finish_reason": "stop"}
    if (call := _tool_call(stand_in, body)) is not None and kind == "chat":
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {**choice, "message": message, "finish_reason": "tool_calls"}
    if kind == "chat":
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    if body.get("logprobs") and stand_in.behaviour.logprobs and not stand_in.lies:
        choice["logprobs"] = {"content": [{"token": word, "logprob": -0.1, "bytes": None} for word in text.split()]}
    return choice


def _events(stand_in: StandIn, kind: str, body: Body) -> Iterator[Body]:
    text = _text_of(stand_in, body)
    pieces = _pieces(text, stand_in.chunks)
    usage = _usage(body, text)
    if kind == "responses":
        yield {"type": "response.created", "response": _response(stand_in, "", None, "in_progress")}
        for piece in pieces:
            yield {"type": "response.output_text.delta", "item_id": "msg-1", "output_index": 0, "delta": piece}
        yield {"type": "response.completed", "response": _response(stand_in, text, usage, "completed")}
        return
    shape = "chat.completion.chunk" if kind == "chat" else "text_completion"
    name = stand_in.behaviour.says_model(stand_in.model)
    head: Body = {"id": "chatcmpl-1", "object": shape, "created": 1, "model": name}
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    sends = stand_in.behaviour.usage == "always" or (stand_in.behaviour.usage == "asked" and asked)
    if (call := _tool_call(stand_in, body)) is not None and kind == "chat":
        delta: Body = {"role": "assistant", "tool_calls": [{**call, "index": 0}]}
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    elif kind == "chat":
        yield {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
        for piece in pieces:
            yield {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    else:
        for piece in pieces:
            yield {**head, "choices": [{"index": 0, "text": piece, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
    if sends and not stand_in.lies:
        yield {**head, "choices": [], "usage": usage}


def _response(stand_in: StandIn, text: str, usage: Body | None, status: str) -> Body:
    said = {"type": "output_text", "text": text, "annotations": []}
    output = [{"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": [said]}]
    counts = usage and {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
    }
    return {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": stand_in.model,
        "output": output if text else [],
        "usage": counts,
    }


def _text_of(stand_in: StandIn, body: Body) -> str:
    """What the model says: the answer, bent into the form that was asked for where this server honours it."""
    behaviour = stand_in.behaviour
    wanted = None if stand_in.lies else behaviour.form(body)
    if wanted is None:
        return stand_in.answer
    if isinstance(wanted, str):
        return wanted
    return json.dumps(example_of(wanted))


def _tool_call(stand_in: StandIn, body: Body) -> Body | None:
    tools = body.get("tools")
    if not tools or not stand_in.behaviour.tools or stand_in.lies or body.get("tool_choice") == "none":
        return None
    function = tools[0]["function"]
    arguments = json.dumps(example_of(function.get("parameters") or {"type": "object"}))
    return {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def example_of(schema: Body) -> Any:
    """The plainest value that fits the schema; enough of JSON Schema for tests."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example_of(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items", {"type": "string"}))] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return schema.get("minimum", 7)
    return {"string": "x" * max(1, schema.get("minLength", 1)), "boolean": True, "null": None}[kind]


def _embeddings(stand_in: StandIn, body: Body) -> Body:
    given = body.get("input") or []
    texts = [given] if isinstance(given, str) else given
    data = [
        {"object": "embedding", "index": position, "embedding": _vector(str(text), stand_in.dimensions, stand_in.lies)}
        for position, text in enumerate(texts)
    ]
    count = sum(_tokens(str(text)) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "model": stand_in.model, "data": data, "usage": usage}


def _vector(text: str, dimensions: int, lies: bool) -> list[float]:
    counts = [0.0] * dimensions
    for word in [] if lies else re.findall(r"\w+", text.lower()):
        counts[sum(map(ord, word)) % dimensions] += 1.0
    return counts if any(counts) else [1.0] * dimensions


def _ranking(stand_in: StandIn, body: Body) -> Body:
    documents = [one if isinstance(one, str) else one.get("text", "") for one in body.get("documents") or []]
    asked = set(re.findall(r"\w+", str(body.get("query")).lower()))
    scored = [
        (0.5 if stand_in.lies else len(asked & set(re.findall(r"\w+", text.lower()))) / max(1, len(asked)), place)
        for place, text in enumerate(documents)
    ]
    ordered = sorted(scored, key=lambda one: -one[0])[: body.get("top_n") or None]
    results = [{"index": place, "relevance_score": score} for score, place in ordered]
    return {"id": "rerank-1", "model": stand_in.model, "results": results, "usage": {"total_tokens": 1}}


def _usage(body: Body, text: str) -> Body:
    asked = _tokens(json.dumps(body.get("messages") or body.get("prompt") or body.get("input") or ""))
    said = _tokens(text)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _tokens(text: str) -> int:
    return max(1, len(text.split()))


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


__all__ = ["BEHAVIOURS", "Behaviour", "Call", "Fault", "StandIn", "example_of"]
