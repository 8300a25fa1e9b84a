"""Which models may answer, when the next one is asked, and what of an answer counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from biai_xinf import prompting
from biai_xinf.adapters.openai import openai
from biai_xinf.adapters.served import Served, find_served
from biai_xinf.client import Client
from biai_xinf.errors import NotFound, QuestionFailed
from biai_xinf.specs import SqlSpec
from biai_xinf.transport import failure

ANSWER_TOKENS = 1024


def find_all(client: Client, names: Sequence[str]) -> Sequence[Served]:
    """Those of the names that are served, the wanted one first; NotFound where none is."""
    found: list[Served] = []
    missing: list[NotFound] = []
    for name in names:
        try:
            found.append(find_served(client, name))
        except NotFound as error:
            missing.append(error)
    if not found:
        raise missing[0]
    return found


def next_may_answer(error: openai.APIError) -> bool:
    """Whether another model may do better: this one is gone, failed, took too long or was out of reach.

    A request that is wrong is wrong for every model.
    """
    return is_gone(error) or not isinstance(error, openai.APIStatusError) or error.status_code >= 500


def is_gone(error: openai.APIError) -> bool:
    """Whether no such model runs any more, in OpenAI's words or in those of an Xinference without our extension."""
    if not isinstance(error, openai.APIStatusError):
        return False
    detail = error.body.get("detail") if isinstance(error.body, dict) else None
    return isinstance(failure(error.status_code, str(detail)), NotFound)


def answer_tokens(served: Served, asked: int | None) -> int:
    """The most tokens of an answer: as many as were asked for, else as its spec says."""
    defaults: Mapping[str, Any] = served.spec.defaults if served.spec is not None else {}
    return asked or int(defaults.get("max_tokens", ANSWER_TOKENS))


def reasons_first(served: Served) -> bool:
    """Whether what it says is reasoning until `</think>` ends it, with or without a tag that begins it."""
    return isinstance(served.spec, SqlSpec) and served.spec.prompt.answer == "after-thinking"


def spoken(served: Served, said: str) -> str:
    """What follows the reasoning; nothing where the model was cut off before that ended."""
    if reasons_first(served) and "</think>" not in said:
        return ""
    return prompting.without_thinking(said).strip()


def nothing_said(served: Served, tokens: int, finish_reason: str | None, setting: str) -> QuestionFailed:
    """What to raise where a model gave no answer; `setting` is what allows it more tokens."""
    if finish_reason != "length":
        return QuestionFailed(f"`{served.uid}` gave an empty answer")
    message = f"`{served.uid}` was cut off at {tokens} tokens, before its answer began"
    return QuestionFailed(message, hint=f"{setting} allows more")
