"""The operator page `/biai`: the status document for people, in one file of HTML that needs nothing else.

All of it is rendered here, for the first look as for each renewal, so there is one place that escapes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote

from biai_xinf.extension.markup import Html, element, joined
from biai_xinf.extension.status import Json
from biai_xinf.units import format_size

RELOAD_S = 10
_FIRST = "biai-xinf launch sql-coder"
UNKNOWN = "-"
# Shape as well as colour and word: all three are lost on somebody.
_MARKS = {"ok": "●", "degraded": "▲", "failing": "✕", "starting": "◌", "stopped": "○", "unknown": "?"}


@dataclass(frozen=True)
class Rendered:
    """A whole answer."""

    content_type: str
    body: bytes
    headers: Mapping[str, str]


def operator_page(document: Json | None) -> Rendered:
    """The page itself: with what the document says, or without any data (None), for whoever has a token to add it."""
    page = _template()
    if document is None:
        page = page.replace('data-auth="off"', 'data-auth="on"', 1)
        page = page.replace("<!--snapshot-->", _WITHOUT_SCRIPT_AND_DATA, 1)
    else:
        reload = element("noscript", Html(f'<meta http-equiv="refresh" content="{RELOAD_S}">'))
        page = page.replace("<!--reload-->", reload, 1).replace("<!--snapshot-->", fragment(document), 1)
    return _html(page)


def status_answer(document: Json, query: bytes = b"") -> Rendered:
    """The answer of `/biai/status`: JSON, or with `?as=html` the part of the page that changes."""
    if parse_qs(query.decode("latin-1")).get("as") == ["html"]:
        return _html(fragment(document))
    body = json.dumps(document, ensure_ascii=False).encode("utf-8")
    return Rendered("application/json", body, _HEADERS)


def fragment(document: Json) -> Html:
    """What the document says, as the content of the page's `main`."""
    models = _by_role(document)
    if not models:
        nothing = element("p", "Nothing is served here yet; ", element("code", _FIRST), " launches a first model.")
        return joined(_as_of(document), nothing, _workers(document["workers"]))
    return joined(
        _as_of(document),
        element("h2", "Roles and models"),
        _overview(models),
        element("h2", "Each model"),
        *(_model(model, document["window_s"]) for model in models),
        _workers(document["workers"]),
    )


_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
_WITHOUT_SCRIPT_AND_DATA = element(
    "noscript",
    element(
        "p",
        "This Xinference asks for a token, and this page needs JavaScript to send yours. ",
        element("code", "GET /biai/status"),
        " with ",
        element("code", "Authorization: Bearer"),
        " says the same as JSON.",
    ),
)


@functools.cache
def _template() -> str:
    return Path(__file__).with_name("page.html").read_text(encoding="utf-8")


@functools.cache
def _policy() -> str:
    """Nothing but what is in the file may run or style, and nothing but this server may be asked."""
    hashes = {name: _hash(name) for name in ("script", "style")}
    return (
        f"default-src 'none'; script-src '{hashes['script']}'; style-src '{hashes['style']}'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", _template(), re.DOTALL)
    content = found[1] if found else ""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode()


def _html(text: str) -> Rendered:
    headers = {**_HEADERS, "content-security-policy": _policy()}
    return Rendered("text/html; charset=utf-8", text.encode("utf-8"), headers)


# The parts of the page


def _as_of(document: Json) -> Html:
    minutes = f"{document['window_s'] / 60:g}"
    return element("p", "As of ", _time(document["now"]), f". Figures cover the last {minutes} minutes.", class_="soft")


def _by_role(document: Json) -> list[Json]:
    roles = [entry["role"] for entry in document["roles"]]
    last = len(roles)
    return sorted(document["models"], key=lambda model: roles.index(model["role"]) if model["role"] else last)


def _overview(models: Sequence[Json]) -> Html:
    headings = ("Role", "Model", "State", *_FIGURES)
    return _table(
        "What serves each role, and how",
        headings,
        [
            [
                element("th", model["role"] or UNKNOWN, scope="row"),
                element("td", element("a", model["uid"], href=f"#{_anchor(model['uid'])}")),
                element("td", _state(model["state"])),
                *_figure_cells(model),
            ]
            for model in models
        ],
    )


def _model(model: Json, window_s: float) -> Html:
    figures = model["figures"] or {}
    last_change, last_error = model["last_change"], figures.get("last_error")
    facts = {
        "Runs": model["runs"],
        "Context": None if model["context"] is None else f"{model['context']} tokens",
        "Recipe": f"{model['recipe']} of {model['spec']}" if model["recipe"] and model["spec"] else None,
        "Also called": ", ".join(model["aliases"]),
        "Falls back on": ", ".join(model["fallback"]),
        "Tokens": _tokens(figures),
        "Figures cover": _span(figures, window_s),
        "Last change": joined(_time(last_change["at"]), ": ", last_change["what"]) if last_change else None,
        "Last error": joined(_time(last_error["at"]), f": {last_error['error']} (status {last_error['status']})")
        if last_error
        else None,
    }
    listed = [joined(element("dt", name), element("dd", value)) for name, value in facts.items() if value]
    kind = "run by Xinference" if model["kind"] == "native" else "upstream, run elsewhere"
    return element(
        "article",
        element("h3", model["uid"], " ", _state(model["state"])),
        element("p", " · ".join(filter(None, (model["role"], kind))), class_="soft"),
        element("dl", *listed) if listed else None,
        _targets(model),
        _evidence(model),
        element("p", element("a", "In the Web UI", href=f"running-model/{quote(model['uid'], safe='')}"))
        if model["runs"] and model["kind"] == "native"
        else None,
        id=_anchor(model["uid"]),
    )


def _targets(model: Json) -> Html | None:
    if not model["targets"]:
        return None
    caption = "Replicas" if model["kind"] == "native" else "Servers"
    return _table(
        f"{caption} of {model['uid']}",
        (caption[:-1], "State", *_FIGURES),
        [
            [
                element("th", target["name"], element("div", target["where"] or "", class_="where"), scope="row"),
                element("td", _state(target["state"]), _why(target), class_="text"),
                *_figure_cells(target),
            ]
            for target in model["targets"]
        ],
    )


def _evidence(model: Json) -> Html:
    evidence = model["evidence"]
    if evidence is None:
        return element("p", "Its answers were not checked.", class_="soft")
    checks, verified = evidence["checks"], _time(evidence["verified_at"])
    if not checks:
        return element("p", "Its answers were found right: ", verified, ".")
    wrong = sum(check["problem"] is not None for check in checks)
    rows = [
        [
            element("th", str(check["asked"] or UNKNOWN), scope="row"),
            element("td", _state("ok", "right") if check["problem"] is None else _state("failing", "wrong")),
            element("td", str(check["problem"] or ""), class_="text"),
        ]
        for check in checks
    ]
    return element(
        "details",
        element("summary", f"Evidence: {len(checks) - wrong} of {len(checks)} answers right, ", verified),
        _table(f"What {model['uid']} was asked before it served", ("Asked", "Answer", "What was wrong"), rows),
        id=f"{_anchor(model['uid'])}-evidence",
        open=wrong > 0,
    )


def _workers(workers: Sequence[Json] | None) -> Html | None:
    if not workers:
        return None
    rows = [_worker(entry["address"], entry["facts"]) for entry in workers]
    headings = ("Worker", "Processor", "Memory", "Graphics processors", "Free disk", "Engines", "biai-xinf")
    return joined(element("h2", "Machines"), _table("What the workers say of themselves", headings, rows))


def _worker(address: str, facts: Mapping[str, object]) -> list[Html]:
    cpu, disk = _mapping(facts.get("cpu")), _mapping(facts.get("disk"))
    threads = cpu.get("threads")
    if error := facts.get("error"):
        return [element("th", address, scope="row"), element("td", _state("unknown", str(error)), colspan="6")]
    return [
        element("th", address, scope="row"),
        element("td", str(cpu.get("model") or UNKNOWN), f", {threads} threads" if threads else None),
        element("td", _size(facts.get("memory_total")), class_="number"),
        element("td", _gpus(facts.get("gpus"))),
        element("td", _size(disk.get("free")), class_="number"),
        element("td", _engines(facts)),
        element("td", str(facts.get("biai_xinf") or UNKNOWN)),
    ]


def _gpus(gpus: object) -> str:
    if not isinstance(gpus, list):
        return UNKNOWN
    named = (f"{gpu.get('index')}: {gpu.get('name') or UNKNOWN} {_size(gpu.get('memory_total'))}" for gpu in gpus)
    return ", ".join(named) or "none"


def _engines(facts: Mapping[str, object]) -> str:
    engines = facts.get("engines")
    if not isinstance(engines, Mapping):
        return UNKNOWN
    installed = ", ".join(f"{engine} {version}" for engine, version in sorted(engines.items())) or "none"
    return f"{installed}; others when launched" if facts.get("virtual_env") else installed


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


# Cells

_FIGURES = ("Latency p50 / p95", "First byte p50 / p95", "Tokens/s", "Requests", "Errors", "In flight")


def _figure_cells(of: Json) -> list[Html]:
    told = of["figures"] or {}
    speed, requests, errors = told.get("tokens_per_s"), told.get("requests"), told.get("errors")
    share = f" ({100 * told['error_share']:.3g}%)" if errors else ""
    cells = [
        _seconds(told.get("latency_p50_s"), told.get("latency_p95_s")),
        _seconds(told.get("first_byte_p50_s"), told.get("first_byte_p95_s")),
        UNKNOWN if speed is None else f"{speed:.1f}",
        UNKNOWN if requests is None else str(requests),
        UNKNOWN if errors is None else f"{errors}{share}",
        str(of["in_flight"]),
    ]
    return [element("td", cell, class_="number") for cell in cells]


def _tokens(figures: Json) -> str | None:
    given, made = figures.get("prompt_tokens"), figures.get("completion_tokens")
    if given is None and made is None:
        return None
    return f"{UNKNOWN if given is None else given} read, {UNKNOWN if made is None else made} written"


def _span(figures: Json, window_s: float) -> str | None:
    covered_s = figures.get("covered_s", window_s)
    return None if covered_s == window_s else f"the last {covered_s:.0f} s, so many requests come"


def _seconds(*values: float | None) -> str:
    shown = [
        f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
        for value in values
        if value is not None
    ]
    return " / ".join(shown) or UNKNOWN


def _size(value: object) -> str:
    return format_size(value) if isinstance(value, int) else UNKNOWN


def _time(iso: str | None) -> Html | str:
    if iso is None:
        return UNKNOWN
    return element("time", iso.replace("T", " ").replace("Z", " UTC"), datetime=iso)


def _state(state: str, word: str | None = None) -> Html:
    mark = element("span", _MARKS.get(state, "?"), aria_hidden="true")
    return element("span", mark, f" {word or state}", class_=f"state state-{state}")


def _why(target: Json) -> Html | None:
    since = joined(" since ", _time(target["since"])) if target["since"] else None
    return joined(since, element("div", target["reason"]) if target["reason"] else None)


def _anchor(uid: str) -> str:
    return f"model-{quote(uid, safe='')}"


def _table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    numbers = {*_FIGURES, "Memory", "Free disk"}
    head = [element("th", name, scope="col", class_="number" if name in numbers else None) for name in headings]
    body = [element("tr", *row) for row in rows]
    table = element(
        "table", element("caption", caption), element("thead", element("tr", *head)), element("tbody", *body)
    )
    # Wide tables scroll by keyboard too.
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)
