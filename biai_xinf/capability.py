"""What a server can do, judged by what comes back: many answer 200 and ignore what they were asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from biai_xinf.errors import UpstreamFailed
from biai_xinf.providers import GENERIC, Provider, for_provider
from biai_xinf.server_models import lists
from biai_xinf.server_request import NoReply, Reply, Server

Verdict = Literal["yes", "no", "ignored", "error", "untested"]
Kind = Literal["LLM", "embedding", "rerank"]
Body = dict[str, Any]

PATIENCE_S = 60.0
_MAX_TOKENS = 160


@dataclass(frozen=True)
class Finding:
    """What is true of one capability, and the one sentence that shows it."""

    capability: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Target:
    """A model on a server; `kind` where it is known, else everything is tried.

    Each request may take `patience_s`; the first may have to wait until the model is loaded, `loading_s`.
    """

    server: Server
    provider: Provider
    model: str
    kind: Kind | None = None
    patience_s: float = PATIENCE_S
    loading_s: float = 180.0


def check(target: Target, report: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Every capability, in the order of the table below; UpstreamFailed where nothing answers, or refuses us."""
    findings: list[Finding] = []
    chats = True
    for name, (kind, probe) in _PROBES.items():
        report(name)
        if kind is not None and target.kind is not None and kind != target.kind:
            verdict: Verdict = "untested"
            evidence = f"it is {_a(target.kind)}"
        elif kind == "LLM" and name != "chat" and not chats:
            verdict, evidence = "untested", "chat does not work, so this was not asked"
        else:
            verdict, evidence = _judged(probe, target)
        chats = chats and not (name == "chat" and verdict != "yes")
        findings.append(Finding(name, verdict, evidence))
    return findings


def models_listed(server: Server, provider: Provider) -> list[str]:
    """The names in the server's list of models; UpstreamFailed where there is no such list."""
    if provider.routes.models is None:
        raise UpstreamFailed(f"{provider.title} has no list of models", hint="name one with --model")
    names = _names(server, provider.routes.models, PATIENCE_S)
    if names is None:
        hint = "is this the server's base address? name the model with --model where it has no such list"
        raise UpstreamFailed(f"`{server.url}{provider.routes.models}` is no list of models", hint=hint)
    return names


class _Ignored(Exception):
    """The server took the request and did not do what it said."""


class _Impossible(Exception):
    """The server says that it cannot, or its provider's data does."""


class _Untested(Exception):
    """Nothing was asked; the message says why."""


def _judged(probe: Callable[[Target], str], target: Target) -> tuple[Verdict, str]:
    try:
        return "yes", probe(target)
    except _Untested as reason:
        return "untested", str(reason)
    except _Ignored as reason:
        return "ignored", str(reason)
    except _Impossible as reason:
        return "no", str(reason)
    except NoReply as reason:
        return "error", str(reason)


def _lists_models(target: Target) -> str:
    path = target.provider.routes.models
    if path is None:
        raise _Impossible(f"{target.provider.title} has no list of models")
    names = _names(target.server, path, target.patience_s)
    if names is None:
        raise _Impossible(f"`{path}` is no list of models")
    if not lists(names, target.model):
        raise _Ignored(f"`{target.model}` is not among the {len(names)} models it lists")
    return f"`{target.model}` and {len(names) - 1} others" if len(names) > 1 else f"`{target.model}` is listed"


def _tells_context(target: Target) -> str:
    place = target.provider.context
    if place is None:
        raise _Untested(f"where {target.provider.title} tells its context is not known")
    reply = target.server.get(place.path, target.patience_s)
    value: Any = _entry(reply.body, target.model)
    for part in place.field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise _Impossible(f"`{place.path}` does not tell `{place.field}`")
    return f"{value} tokens, as `{place.path}` says"


def _chats(target: Target) -> str:
    said = _text(_ask(target, "Say hello in one word.", patience_s=target.loading_s))
    return f"it answered `{_shortened(said)}`"


def _streams(target: Target) -> str:
    events = _stream(target)
    pieces = [piece for piece in map(_piece, events) if piece]
    if not pieces:
        raise _Ignored("the stream held no text")
    if len(pieces) == 1:
        raise _Ignored("the whole text came in one event")
    return f"{len(pieces)} events with text"


def _tells_usage_in_streams(target: Target) -> str:
    events = _stream(target, stream_options={"include_usage": True})
    usage = next((event["usage"] for event in reversed(events) if isinstance(event.get("usage"), dict)), None)
    if usage is None:
        raise _Ignored("no event told the usage")
    asked, said = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (isinstance(asked, int) and isinstance(said, int) and asked > 0 and said > 0):
        raise _Ignored(f"it told {asked} tokens for the prompt and {said} for the answer")
    if said > _MAX_TOKENS:
        raise _Ignored(f"it told {said} tokens for an answer that may have {_MAX_TOKENS} at most")
    return f"{asked} tokens for the prompt, {said} for the answer"


def _calls_tools(target: Target) -> str:
    question = "What is the weather in Paris right now? Use the tool."
    for choice in ("auto", {"type": "function", "function": {"name": "get_weather"}}):
        message = _message(_ask(target, question, tools=[_WEATHER], tool_choice=choice))
        calls = message.get("tool_calls")
        if calls:
            return _called(calls[0])
    raise _Ignored(f"it answered `{_shortened(str(message.get('content')))}` and called no tool")


def _called(call: Any) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(function, dict) or function.get("name") != "get_weather":
        raise _Ignored("it called a tool that it was not given")
    if isinstance(arguments, dict):
        raise _Ignored("the arguments came as an object; OpenAI's clients expect a string of JSON")
    given = _json(arguments)
    if not isinstance(given, dict) or not isinstance(given.get("city"), str):
        raise _Ignored(f"its arguments `{_shortened(str(arguments))}` do not fit the tool")
    return f"it called `get_weather` with `{_shortened(str(arguments))}`"


def _keeps_schema(target: Target) -> str:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm", "wild"]}, "waves": {"type": "integer"}},
        "required": ["mood", "waves"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "sea", "strict": True, "schema": schema}}
    said = _text(_ask(target, "Describe the sea in one friendly sentence.", response_format=wanted))
    given = _json(said)
    fits = isinstance(given, dict) and set(given) == {"mood", "waves"} and given["mood"] in ("calm", "wild")
    if not fits or not isinstance(given["waves"], int) or isinstance(given["waves"], bool):
        raise _Ignored(f"it answered `{_shortened(said)}`, which does not fit the schema")
    return f"asked for a sentence, it kept to the schema: `{_shortened(said)}`"


def _keeps_to_objects(target: Target) -> str:
    # OpenAI refuses json_object where no message holds the word JSON.
    question = "Explain in one friendly sentence what JSON is, without any code."
    said = _text(_ask(target, question, response_format={"type": "json_object"}))
    if not isinstance(_json(said), dict):
        raise _Ignored(f"it answered `{_shortened(said)}`, which is no JSON object")
    return f"asked for a sentence, it wrote an object: `{_shortened(said)}`"


def _keeps_to_grammars(target: Target) -> str:
    ways: Iterable[Body] = ({"grammar": _GRAMMAR},)
    if target.provider.name == GENERIC:
        ways = (*ways, *_OTHER_GRAMMARS)
    refusal, said = None, None
    for way in ways:
        try:
            said = _text(_ask(target, "Say hello.", **way))
        except _Impossible as error:
            refusal = error
            continue
        if said.strip() == _ONLY_ANSWER:
            return f"`{next(iter(way))}` led it to the only answer there was"
    if said is None and refusal is not None:
        raise refusal
    raise _Ignored(f"it answered `{_shortened(str(said))}` where only `{_ONLY_ANSWER}` was allowed")


def _gives_choices(target: Target) -> str:
    choices = _choices(_ask(target, "Name any fruit.", n=2, temperature=1.0))
    if len(choices) != 2:
        raise _Ignored(f"asked for 2 choices, it gave {len(choices)}")
    return "2 choices in one answer"


def _tells_logprobs(target: Target) -> str:
    choice = _choices(_ask(target, "Say hello in one word.", logprobs=True, top_logprobs=1))[0]
    told = choice.get("logprobs")
    tokens = told.get("content") if isinstance(told, dict) else None
    if not isinstance(tokens, list) or not tokens or not isinstance(tokens[0].get("logprob"), int | float):
        raise _Ignored("the answer holds no log probabilities")
    return f"log probabilities of {len(tokens)} tokens"


def _embeds(target: Target) -> str:
    entries = _entries(_post(target, "embeddings", {"input": ["orders of last week", "a cat sleeps"]}), "data")
    vectors = [entry["embedding"] for entry in entries if isinstance(entry.get("embedding"), list)]
    if len(vectors) != 2:
        raise _Ignored(f"2 texts gave {len(vectors)} vectors")
    if len(vectors[0]) != len(vectors[1]):
        raise _Ignored(f"its vectors have {len(vectors[0])} and {len(vectors[1])} dimensions")
    if vectors[0] == vectors[1]:
        raise _Ignored("two different texts gave the same vector")
    return f"{len(vectors[0])} dimensions"


def _reranks(target: Target) -> str:
    documents = ["A cat sleeps on the sofa.", "Revenue is the sum of all paid orders."]
    results = _entries(_post(target, "rerank", {"query": "sum of all paid orders", "documents": documents}), "results")
    scores = {result.get("index"): result.get("relevance_score") for result in results}
    wrong, right = scores.get(0), scores.get(1)
    if not isinstance(wrong, int | float) or not isinstance(right, int | float) or len(scores) != 2:
        raise _Ignored(f"2 documents gave {len(scores)} scores")
    told = f"the right document scored {right:.3g}, the wrong one {wrong:.3g}"
    if right <= wrong:
        raise _Ignored(told)
    return told


# What the model needs to be for it, and the probe: its text is the evidence of a yes.
_PROBES: Mapping[str, tuple[Kind | None, Callable[[Target], str]]] = {
    "models": (None, _lists_models),
    "context": (None, _tells_context),
    "chat": ("LLM", _chats),
    "stream": ("LLM", _streams),
    "stream usage": ("LLM", _tells_usage_in_streams),
    "tools": ("LLM", _calls_tools),
    "json_schema": ("LLM", _keeps_schema),
    "json_object": ("LLM", _keeps_to_objects),
    "grammar": ("LLM", _keeps_to_grammars),
    "n": ("LLM", _gives_choices),
    "logprobs": ("LLM", _tells_logprobs),
    "embeddings": ("embedding", _embeds),
    "rerank": ("rerank", _reranks),
}

_WEATHER: Body = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city right now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
# Nothing a model would say by itself.
_ONLY_ANSWER = "zq-4711"
_GRAMMAR = f'root ::= "{_ONLY_ANSWER}"'
_OTHER_GRAMMARS: tuple[Body, ...] = (
    {"structured_outputs": {"grammar": _GRAMMAR}},
    {"ebnf": _GRAMMAR},
    {"guided_grammar": _GRAMMAR},
    {"grammar_string": _GRAMMAR},
)


def _ask(target: Target, question: str, *, patience_s: float | None = None, **options: Any) -> Body:
    body = {
        "messages": [{"role": "user", "content": question}],
        "max_tokens": _MAX_TOKENS,
        "temperature": 0,
        **options,
    }
    reply = _post(target, "chat", body, patience_s)
    if not isinstance(reply.body, dict):
        raise NoReply(f"its answer is no JSON object: `{_shortened(reply.text)}`")
    return reply.body


def _stream(target: Target, **options: Any) -> list[Body]:
    body = {
        "messages": [{"role": "user", "content": "Count from one to ten in words."}],
        "max_tokens": _MAX_TOKENS,
        "temperature": 0,
        "stream": True,
        **options,
    }
    reply = _post(target, "chat", body)
    if not reply.streamed:
        raise _Ignored("it answered in one piece, and not as a stream of events")
    events = [event for event in reply.events if isinstance(event, dict)]
    for event in events:
        if event.get("error"):
            raise NoReply(f"the stream ended in an error: `{_shortened(str(event['error']))}`")
    return events


def _post(
    target: Target,
    kind: Literal["chat", "embeddings", "rerank"],
    body: Body,
    patience_s: float | None = None,
) -> Reply:
    path = getattr(target.provider.routes, kind)
    if path is None:
        raise _Untested(f"no {kind} route of {target.provider.title} is known")
    try:
        sent, _ = for_provider({"model": target.model, **body}, target.provider)
    except ValueError as error:
        raise _Impossible(str(error)) from error
    lost = [name for name in ("logprobs", "stream_options") if name in body and name not in sent]
    if lost:
        raise _Impossible(f"{target.provider.title} takes no `{lost[0]}`")
    reply = target.server.post(path, sent, patience_s or target.patience_s)
    _let_in(target.server, reply)
    if reply.status == 501 or 400 <= reply.status < 500:
        raise _Impossible(reply.problem or f"status {reply.status}")
    if reply.problem is not None:
        raise NoReply(reply.problem)
    return reply


def _names(server: Server, path: str, patience_s: float) -> list[str] | None:
    """The names in the list of models, None where there is none; the first thing asked, so silence is the end."""
    try:
        reply = server.get(path, patience_s)
    except NoReply as error:
        raise UpstreamFailed(f"`{server.url}` did not list its models: {error}") from error
    _let_in(server, reply)
    entries = reply.body.get("data") if isinstance(reply.body, dict) else None
    if not isinstance(entries, list):
        return None
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]


def _let_in(server: Server, reply: Reply) -> None:
    if reply.status in (401, 403):
        hint = "--key-env names the variable that holds its key"
        raise UpstreamFailed(f"`{server.url}` refuses us ({reply.problem})", hint=hint)


def _choices(answer: Body) -> list[Body]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise NoReply(f"its answer holds no choices: `{_shortened(json.dumps(answer))}`")
    return choices


def _message(answer: Body) -> Body:
    message = _choices(answer)[0].get("message")
    if not isinstance(message, dict):
        raise NoReply("its answer holds no message")
    return message


def _text(answer: Body) -> str:
    """What was said; a model that only came to think within the tokens it had has said something too."""
    message = _message(answer)
    for name in ("content", "reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name].strip():
            return str(message[name])
    raise NoReply("its answer holds no text")


def _piece(event: Body) -> str:
    choices = event.get("choices")
    delta = choices[0].get("delta") if isinstance(choices, list) and choices else None
    if not isinstance(delta, dict):
        return ""
    return str(delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or "")


def _entries(reply: Reply, name: str) -> list[Body]:
    entries = reply.body.get(name) if isinstance(reply.body, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _entry(body: Any, model: str) -> Any:
    """The model's own entry of a list of models, else the body itself."""
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        return body
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get("id") == model), None)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _shortened(text: str, most: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."


def _a(kind: Kind) -> str:
    return {"LLM": "a language model", "embedding": "an embedding model", "rerank": "a rerank model"}[kind]
