"""What Xinference answers, made honest: one answer of several, and what was really given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.extension.failures import as_api_error, honest_event

__all__ = ["as_api_error", "check_dimensions", "check_structured", "honest_event", "merged"]


def merged(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One answer with the choices of all: the copies of one request, whose prompt counts once."""
    first = answers[0]
    choices = [choice for answer in answers for choice in answer.get("choices", [])]
    # How fast one of them was says nothing of all.
    whole = {name: value for name, value in first.items() if name != "timings"}
    whole["choices"] = [{**choice, "index": index} for index, choice in enumerate(choices)]
    usages = [answer.get("usage") for answer in answers]
    if all(isinstance(usage, Mapping) for usage in usages):
        whole["usage"] = _usage([dict(usage) for usage in usages if usage is not None])
    return whole


def _usage(usages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    prompt = usages[0].get("prompt_tokens") or 0
    completion = sum(usage.get("completion_tokens") or 0 for usage in usages)
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    details = [usage.get("completion_tokens_details") for usage in usages]
    if all(isinstance(detail, dict) for detail in details):
        counted["completion_tokens_details"] = _sums([detail for detail in details if detail is not None])
    return {**usages[0], **counted}


def _sums(details: Sequence[dict[str, Any]]) -> dict[str, Any]:
    summed = dict(details[0])
    for name in summed:
        counts = [detail.get(name) for detail in details]
        if all(type(count) is int for count in counts):
            summed[name] = sum(count for count in counts if count is not None)
    return summed


def check_structured(answer: Mapping[str, Any]) -> None:
    """502 if an answer that had to be JSON ended of itself and is none: the engine let the schema go."""
    for choice in answer.get("choices", []):
        message = choice.get("message") or {}
        text = message.get("content") if message else choice.get("text")
        if choice.get("finish_reason") != "stop" or message.get("tool_calls") or not isinstance(text, str):
            continue
        try:
            json.loads(text)
        except ValueError:
            raise ApiError(
                502, "the engine did not keep to the schema, so the answer is not JSON", code="schema_not_enforced"
            ) from None


def check_dimensions(answer: Mapping[str, Any], asked: int | None) -> None:
    """400 if vectors are not as long as was asked: llama.cpp gives what the model has."""
    vectors = answer.get("data")
    if asked is None or not vectors:
        return
    first = vectors[0]["embedding"]
    # As base64 four letters are three bytes, and a number is four bytes.
    given = len(first) if isinstance(first, list) else len(first.rstrip("=")) * 3 // 16
    if given != asked:
        message = f"`dimensions` is {asked}; the model gives vectors of {given} only"
        raise bad_request(message, param="dimensions", code="unsupported_parameter")
