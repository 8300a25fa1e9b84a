"""One question to a stand-in through `connect`, by either kind of client, and servers that fail in ways of their own."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from biai_xinf.extension.asgi import App, Receive, Scope, Send, send_json

Kind = Literal["sync", "async"]
QUESTION = [{"role": "user", "content": "How many customers are there?"}]


def say(kind: Kind, name: str = "sql-coder", stream: bool = False, **where: Any) -> str:
    """What the model says to QUESTION, all pieces of it together."""
    return _say(name, stream, where) if kind == "sync" else asyncio.run(_say_async(name, stream, where))


def _say(name: str, stream: bool, where: dict[str, Any]) -> str:
    client, model = _openai().connect(name, **where)
    with client:
        if not stream:
            answer = client.chat.completions.create(model=model, messages=QUESTION, stream=False)
            return str(answer.choices[0].message.content)
        pieces = client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


async def _say_async(name: str, stream: bool, where: dict[str, Any]) -> str:
    client, model = await _openai().connect_async(name, **where)
    async with client:
        if not stream:
            answer = await client.chat.completions.create(model=model, messages=QUESTION, stream=False)
            return str(answer.choices[0].message.content)
        pieces = await client.chat.completions.create(model=model, messages=QUESTION, stream=True)
        return "".join([piece.choices[0].delta.content or "" async for piece in pieces if piece.choices])


def _openai() -> Any:
    pytest.importorskip("openai")
    from biai_xinf.adapters import openai

    return openai


class FailsFirst:
    """Answers the first questions with these statuses, and then lets `app` answer; lists its models all the time."""

    def __init__(self, app: App, *statuses: int) -> None:
        self._app, self._statuses = app, list(statuses)
        self.questions = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/models":
            return await self._app(scope, receive, send)
        self.questions += 1
        if self._statuses:
            return await send_json(send, self._statuses.pop(0), {"error": {"message": "not now"}})
        return await self._app(scope, receive, send)
