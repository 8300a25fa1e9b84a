"""Vanna 2's language model, served by the endpoint.

agent = Agent(llm_service=XinferenceLlmService("sql"), ...)
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biai_xinf.adapters.fallback import (
    answer_tokens,
    find_all,
    is_gone,
    next_may_answer,
    nothing_said,
    reasons_first,
    spoken,
)
from biai_xinf.adapters.openai import BrokeOff, Endpoint, openai
from biai_xinf.adapters.reasoning import Spoken
from biai_xinf.adapters.served import Served
from biai_xinf.client import Client
from biai_xinf.errors import BiaiXinfError, MissingExtra

try:
    from vanna.core.errors import LlmServiceError
    from vanna.core.llm import LlmRequest, LlmResponse, LlmService, LlmStreamChunk
    from vanna.core.tool import ToolCall, ToolSchema
except ImportError as error:
    raise MissingExtra(f"Vanna 2 cannot be imported: {error}", hint="pip install 'biai-xinf[vanna2]'") from error

# As long as Vanna's own clients wait.
TIMEOUT_S = 240.0

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class XinferenceLlmService(LlmService):  # type: ignore[misc]  # Vanna is not there for mypy
    """Asks a model of the endpoint: `model` is a role, a spec or a uid, the next of `fallback_models` stands in for it.

    `temperature` is what goes with every request. None sends that of the request, which is the AgentConfig's: 0.7
    unless somebody chose it, too much for SQL. `answer_tokens` is for requests that say none. The others are those of
    `openai.Endpoint`. Nothing is asked before the first request. Raises Vanna's LlmServiceError.
    """

    def __init__(
        self,
        model: str = "sql",
        *,
        fallback_models: Sequence[str] = (),
        temperature: float | None = 0.0,
        answer_tokens: int | None = None,
        endpoint: str | None = None,
        api_key: str | None = None,
        cluster: str | Path | None = None,
        timeout: float = TIMEOUT_S,
        max_retries: int = 2,
    ) -> None:
        self.model = model
        self._names = (model, *fallback_models)
        self._temperature = temperature
        self._answer_tokens = answer_tokens
        self._endpoint = Endpoint(endpoint, api_key, cluster, timeout, max_retries)
        self._found: tuple[Client, Sequence[Served]] | None = None

    async def send_request(self, request: LlmRequest) -> LlmResponse:
        """One answer, or the tools that the model wants called."""
        async with self._asked(request, stream=False) as (served, answer):
            (choice, *_) = answer.choices
            wanted = choice.message.tool_calls or ()
            calls = [_called(call.id, call.function.name, call.function.arguments) for call in wanted]
            content = spoken(served, choice.message.content or "")
            if not content and not calls:
                raise nothing_said(served, self._tokens(served, request), choice.finish_reason, "`answer_tokens`")
            return LlmResponse(
                content=content or None,
                tool_calls=calls or None,
                finish_reason=choice.finish_reason,
                usage=_usage(answer.usage),
                metadata={"model": served.uid},
            )

    async def stream_request(self, request: LlmRequest) -> AsyncGenerator[LlmStreamChunk, None]:
        """The answer as it comes, without its reasoning, and at its end the tools that the model wants called."""
        async with self._asked(request, stream=True) as (served, events):
            answer, calls, finish_reason, begun = Spoken(reasons_first(served)), _Calls(), None, False
            async for event in events:
                for choice in event.choices[:1]:
                    finish_reason = choice.finish_reason or finish_reason
                    calls.add(choice.delta.tool_calls or ())
                    if shown := answer.feed(choice.delta.content or ""):
                        begun = True
                        yield LlmStreamChunk(content=shown)
            if rest := answer.end():
                begun = True
                yield LlmStreamChunk(content=rest)
            if not begun and not calls.whole:
                raise nothing_said(served, self._tokens(served, request), finish_reason, "`answer_tokens`")
            yield LlmStreamChunk(tool_calls=calls.whole or None, finish_reason=finish_reason or "stop")

    async def validate_tools(self, tools: list[ToolSchema]) -> list[str]:
        """What is wrong with the tools, in a sentence each: their names, and the schemas of their parameters."""
        names = Counter(tool.name for tool in tools)
        errors = [f"the tool `{name}` is there {count} times" for name, count in names.items() if count > 1]
        for tool in tools:
            if not _TOOL_NAME.fullmatch(tool.name):
                errors.append(f"the tool `{tool.name}` needs a name of 1 to 64 letters, digits, `_` and `-`")
            if tool.parameters.get("type") != "object":
                errors.append(f"the parameters of the tool `{tool.name}` need a JSON schema of the type `object`")
        return errors

    @asynccontextmanager
    async def _asked(self, request: LlmRequest, stream: bool) -> AsyncIterator[tuple[Served, Any]]:
        """The first model that answers, and its answer. A connection for each: under Flask event loops come and go."""
        try:
            client, models = await asyncio.to_thread(self._connection)
            async with self._endpoint.async_client(client) as api:
                served, answer = await self._first_answer(api, models, request, stream)
                yield served, answer
        except (openai.OpenAIError, BrokeOff, BiaiXinfError) as error:
            raise LlmServiceError(str(error) or type(error).__name__) from error

    async def _first_answer(
        self, api: openai.AsyncOpenAI, models: Sequence[Served], request: LlmRequest, stream: bool
    ) -> tuple[Served, Any]:
        failures: list[openai.APIError] = []
        for served in models:
            try:
                body = self._body(served, request)
                return served, await api.chat.completions.create(**body, stream=stream)
            except openai.APIError as error:
                if is_gone(error):
                    # Another model may serve the role by now.
                    self._found = None
                if not next_may_answer(error):
                    raise
                failures.append(error)
        raise failures[0]

    def _connection(self) -> tuple[Client, Sequence[Served]]:
        if self._found is None:
            client = self._endpoint.xinference()
            self._found = client, find_all(client, self._names)
        return self._found

    def _tokens(self, served: Served, request: LlmRequest) -> int:
        return answer_tokens(served, request.max_tokens or self._answer_tokens)

    def _body(self, served: Served, request: LlmRequest) -> dict[str, Any]:
        system = [{"role": "system", "content": request.system_prompt}] if request.system_prompt else []
        body = {
            "model": served.uid,
            "messages": [*system, *map(_message, request.messages)],
            "temperature": request.temperature if self._temperature is None else self._temperature,
            "max_tokens": self._tokens(served, request),
        }
        return {**body, "tools": list(map(_tool, request.tools))} if request.tools else body


def _message(message: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "tool" and message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    if message.role == "assistant" and message.tool_calls:
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
            }
            for call in message.tool_calls
        ]
    return told


def _tool(tool: ToolSchema) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


@dataclass
class _Call:
    """A tool call whose parts still come in."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class _Calls:
    """The tool calls of a stream, each put together by its index."""

    parts: dict[int, _Call] = field(default_factory=dict)

    def add(self, deltas: Sequence[Any]) -> None:
        """Take what came of some of them."""
        for delta in deltas:
            call = self.parts.setdefault(delta.index or 0, _Call())
            call.id = call.id or delta.id or ""
            if delta.function is not None:
                call.name = call.name or delta.function.name or ""
                call.arguments += delta.function.arguments or ""

    @property
    def whole(self) -> list[ToolCall]:
        """Those that were named, in their order."""
        return [_called(call.id, call.name, call.arguments) for _, call in sorted(self.parts.items()) if call.name]


def _called(call_id: str | None, name: str, arguments: str | None) -> ToolCall:
    """As Vanna takes it. Its tools check arguments, and tell the model what is wrong with them."""
    try:
        given = json.loads(arguments or "{}")
    except json.JSONDecodeError:
        given = None
    # `_raw` is what Vanna's own services call what is no object.
    return ToolCall(
        id=call_id or f"call_{name}",
        name=name,
        arguments=dict(given) if isinstance(given, Mapping) else {"_raw": arguments},
    )


def _usage(usage: Any) -> dict[str, int] | None:
    if usage is None:
        return None
    return {name: getattr(usage, name) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
