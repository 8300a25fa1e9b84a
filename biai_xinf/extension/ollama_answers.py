"""OpenAI's answers as Ollama's: pure translation of whole answers and, event by event, of streams."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.ollama_requests import Asked
from biai_xinf.extension.sse import error_text

Fields = dict[str, Any]
_OPENING, _CLOSING = "<think>", "</think>"


@dataclass(frozen=True)
class Timing:
    """Nanoseconds of one answer; `first` until its first token, None where the answer came whole."""

    total: int
    first: int | None = None

    def fields(self, usage: Any) -> Fields:
        """Ollama's figures. Tokens are left out where the server counted none, as Ollama leaves out zeros.

        Nothing is loaded on request, so `load_duration` is 0. Of an answer that came whole nobody knows when its
        first token did: `eval_duration` then holds reading the prompt, too.
        """
        counted = {
            "prompt_eval_count": _count(usage, "prompt_tokens"),
            "eval_count": _count(usage, "completion_tokens"),
        }
        figures: Fields = {"total_duration": self.total, "load_duration": 0, "prompt_eval_duration": self.first or 0}
        figures["eval_duration"] = self.total - (self.first or 0)
        return figures | {name: count for name, count in counted.items() if count is not None}


def loaded(asked: Asked) -> Fields:
    """The answer to a request without a prompt: the model is there."""
    return {**_text_fields(asked, "", ""), "done": True, "done_reason": "load"}


def whole(asked: Asked, answer: Mapping[str, Any]) -> Fields:
    """The fields of a whole answer, but for its figures."""
    choice = _first_choice(answer)
    if choice is None:
        raise _unreadable("it holds no choice")
    message = _mapping(choice.get("message"))
    content = _string(message.get("content")) or _string(choice.get("text"))
    thinking = _string(message.get("reasoning_content")) or _string(message.get("reasoning"))
    if asked.splits_thinking:
        inline, content = split_thinking(content)
        thinking += inline
    calls = _ToolCalls()
    calls.add(message.get("tool_calls"))
    fields = _text_fields(asked, content, thinking, calls.finished())
    if logprobs := _logprobs(choice):
        fields["logprobs"] = logprobs
    return {**fields, "done": True, "done_reason": _done_reason(choice.get("finish_reason"))}


def split_thinking(text: str) -> tuple[str, str]:
    """What a whole answer thought and what it says. Some templates open the thinking, so `<think>` may be missing."""
    if _CLOSING not in text and not text.lstrip().startswith(_OPENING):
        return "", text
    thought, _, said = text.partition(_CLOSING)
    return thought.strip().removeprefix(_OPENING).strip(), said.lstrip()


def embeddings(answer: Mapping[str, Any]) -> list[list[float]]:
    """The vectors of an embeddings answer, in the order of the texts."""
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise _unreadable("it holds no embeddings")
    vectors = [item.get("embedding") for item in sorted(data, key=_index)]
    if not all(isinstance(vector, list) and all(map(_is_number, vector)) for vector in vectors):
        raise _unreadable("its embeddings are no lists of numbers")
    return vectors


def of_unit_length(vector: list[float]) -> list[float]:
    """`/api/embed` normalises, the older `/api/embeddings` does not."""
    length = max(math.sqrt(sum(value * value for value in vector)), 1e-12)
    return [value / length for value in vector]


def refused(status: int, body: bytes, retry_after: bytes | None) -> ApiError:
    """An error answer of any shape (OpenAI's, FastAPI's `detail`, plain text), as one of ours."""
    try:
        error = json.loads(body)
    except (ValueError, RecursionError):
        error = body.decode(errors="replace").strip()
    if isinstance(error, dict):
        error = error.get("error") or error.get("detail") or error.get("message") or error
    text = error_text(error) if error else f"the server answered with status {status} and no reason"
    wait = int(retry_after) if retry_after and retry_after.isdigit() else None
    return ApiError(status if status >= 400 else 502, text, retry_after=wait)


def read_answer(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable("it is not JSON") from None
    if not isinstance(answer, dict):
        raise _unreadable("it is not a JSON object")
    if answer.get("error"):
        raise ApiError(502, error_text(answer["error"]), kind="upstream_error")
    return answer


class StreamedAnswer:
    """An OpenAI stream, fed chunk by chunk as it arrives, as the lines of Ollama's.

    `begun` is true once there was anything to pass on.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._rest = b""
        self._thinking = _ThinkSplitter() if asked.splits_thinking else None
        self._calls = _ToolCalls()
        self._finish_reason: str | None = None
        self._done = False
        self.begun = False
        self.usage: Mapping[str, Any] | None = None

    def feed(self, chunk: bytes) -> Iterator[Fields]:
        """The lines that can be sent now; ApiError where the server sent an error or nonsense."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[Fields]:
        """The lines after the last chunk; ApiError where the server stopped in the middle."""
        yield from self._line(self._rest)
        if not self._done and self._finish_reason is None:
            raise ApiError(502, "the answer broke off before it was complete", kind="upstream_error")
        content, thinking = self._thinking.rest() if self._thinking else ("", "")
        if content or thinking:
            yield _text_fields(self._asked, content, self._shown(thinking))
        if calls := self._calls.finished():
            yield _text_fields(self._asked, "", "", calls)

    def last(self) -> Fields:
        """The closing line, but for its figures."""
        return {**_text_fields(self._asked, "", ""), "done": True, "done_reason": _done_reason(self._finish_reason)}

    def _line(self, line: bytes) -> Iterator[Fields]:
        if not line.startswith(b"data:"):
            return
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            self._done = True
            return
        event = read_answer(data)
        self.usage = _mapping(event.get("usage")) or self.usage
        choice = _first_choice(event)
        if choice is not None:
            self._finish_reason = _string(choice.get("finish_reason")) or self._finish_reason
            yield from self._delta(choice)

    def _delta(self, choice: Mapping[str, Any]) -> Iterator[Fields]:
        delta = _mapping(choice.get("delta"))
        content = _string(delta.get("content")) or _string(choice.get("text"))
        thinking = _string(delta.get("reasoning_content")) or _string(delta.get("reasoning"))
        self._calls.add(delta.get("tool_calls"))
        self.begun = self.begun or bool(content or thinking or delta.get("tool_calls"))
        if self._thinking and content:
            content, inline = self._thinking.feed(content)
            thinking += inline
        logprobs = _logprobs(choice)
        if content or self._shown(thinking) or logprobs:
            fields = _text_fields(self._asked, content, self._shown(thinking))
            yield fields | ({"logprobs": logprobs} if logprobs else {})

    def _shown(self, thinking: str) -> str:
        return thinking if self._asked.shows_thinking else ""


class _ThinkSplitter:
    """Takes a leading `<think>...</think>` out of text that comes in pieces, which may cut a tag in two.

    Unlike `split_thinking` it needs the opening tag: without one, text that is already on its way is an answer.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "before"

    def feed(self, piece: str) -> tuple[str, str]:
        """What of it is said, what is thought."""
        self._held += piece
        if self._state == "before":
            text = self._held.lstrip()
            if len(text) < len(_OPENING) and _OPENING.startswith(text):
                return "", ""
            self._state = "thinking" if text.startswith(_OPENING) else "said"
            self._held = text.removeprefix(_OPENING).lstrip() if self._state == "thinking" else self._held
        thought = ""
        if self._state == "thinking":
            thought, closed, rest = self._held.partition(_CLOSING)
            if not closed:
                keep = _overlap(thought)
                self._held = thought[len(thought) - keep :]
                return "", thought[: len(thought) - keep]
            self._state, self._held, thought = "after", rest, thought.rstrip()
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "said" if self._held else "after"
        said, self._held = self._held, ""
        return said, thought

    def rest(self) -> tuple[str, str]:
        """What was held back when the text is over."""
        held, self._held = self._held, ""
        return ("", held) if self._state == "thinking" else (held, "")


def _overlap(text: str) -> int:
    """How many characters at its end may be the beginning of the closing tag."""
    return next((size for size in range(len(_CLOSING) - 1, 0, -1) if text.endswith(_CLOSING[:size])), 0)


@dataclass
class _ToolCalls:
    """Tool calls, gathered from pieces: Ollama sends each of them whole, with its arguments as an object."""

    _calls: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, pieces: Any) -> None:
        for position, piece in enumerate(pieces if isinstance(pieces, list) else []):
            piece = _mapping(piece)
            index = piece.get("index")
            call = self._calls.setdefault(index if isinstance(index, int) else position, {"arguments": ""})
            function = _mapping(piece.get("function"))
            for name, value in (("id", piece.get("id")), ("name", function.get("name"))):
                if _string(value):
                    call[name] = _string(value)
            arguments = function.get("arguments")
            call["arguments"] += json.dumps(arguments) if isinstance(arguments, dict) else _string(arguments)

    def finished(self) -> list[Fields]:
        return [self._finished(index, self._calls[index]) for index in sorted(self._calls)]

    @staticmethod
    def _finished(index: int, call: Mapping[str, str]) -> Fields:
        name = call.get("name", "")
        try:
            arguments = json.loads(call["arguments"] or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise ApiError(502, f"the model called `{name}` with arguments that are no JSON object")
        identity = {"id": call["id"]} if "id" in call else {}
        return {**identity, "function": {"index": index, "name": name, "arguments": arguments}}


def _text_fields(asked: Asked, content: str, thinking: str, tool_calls: list[Fields] | None = None) -> Fields:
    """One line's text, where the call has it: in a message, or beside it."""
    thought = {"thinking": thinking} if thinking and asked.shows_thinking else {}
    if asked.call == "generate":
        return {"response": content, **thought, "done": False}
    calls = {"tool_calls": tool_calls} if tool_calls else {}
    return {"message": {"role": "assistant", "content": content, **thought, **calls}, "done": False}


def _done_reason(finish_reason: Any) -> str:
    return "length" if finish_reason == "length" else "stop"


def _first_choice(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = answer.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None


def _logprobs(choice: Mapping[str, Any]) -> list[Any]:
    content = _mapping(choice.get("logprobs")).get("content")
    return content if isinstance(content, list) else []


def _index(item: Mapping[str, Any]) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _count(usage: Any, name: str) -> int | None:
    count = _mapping(usage).get(name)
    return count if isinstance(count, int) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _unreadable(reason: str) -> ApiError:
    return ApiError(502, f"the model's server sent an answer that cannot be read: {reason}", kind="upstream_error")
