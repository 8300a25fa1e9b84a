"""The operator page and its JSON: what they say of a cluster, and that nothing in a cluster can break the page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.extension.balance import Health
from biai_xinf.extension.markup import Html, element, joined
from biai_xinf.extension.page import Rendered, fragment, operator_page, status_answer
from biai_xinf.extension.replicas import Replica
from biai_xinf.extension.stats import WINDOW_S, Served, Stats
from biai_xinf.extension.status import Json, Seen, TargetHealth, status_document
from biai_xinf.units import GIB
from biai_xinf.upstreams import ServedModel, Upstream

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)><!--snapshot-->"
VOID = {"meta", "link", "input", "br"}


def replica(uid: str, number: int = 0, status: str = "READY", **more: Any) -> Json:
    return {
        "replica_id": number,
        "replica_model_uid": f"{uid}-{number}",
        "worker_address": f"10.0.0.{number + 1}:20001",
        "status": status,
        "error_message": None,
        "created_ts": int(NOW.timestamp()) - 3600,
        **more,
    }


CODER = {
    "id": "coder",
    "model_name": "qwen2.5-coder-instruct",
    "model_size_in_billions": "1_5",
    "model_format": "ggufv2",
    "quantization": "q4_k_m",
    "model_engine": "llama.cpp",
    "context_length": 8192,
}
PROVEN = ServedModel.model_validate(
    {
        "uid": "coder",
        "spec": "sql-coder",
        "recipe": "cpu",
        "role": "sql",
        "aliases": ["sql-main"],
        "tags": ["sqlcoder:7b"],
        "verified_at": "2026-11-22T19:30:00Z",
        "checks": [
            {"asked": "How many customers?", "problem": None},
            {"asked": "Which city?", "problem": "wrong rows"},
        ],
    }
)
NARRATOR = Upstream.model_validate(
    {
        "name": "narrator",
        "role": "narrator",
        "context": 32768,
        "fallback": ["coder"],
        "servers": [
            {"provider": "ollama", "url": "http://gpu-1:11434/k/CANARY", "model": "qwen3:8b", "key_env": "CANARY_ENV"},
            {"provider": "vllm", "url": "http://gpu-2:8000", "model": "qwen3"},
        ],
    }
)


def seen() -> Seen:
    """Two replicas of which one just died, and an upstream nobody knows much of yet."""
    stats = Stats(lambda: NOW.timestamp() - 10)
    stats.record(Served("coder", "coder-0", 200, True, 2.0, 0.25, 500, 50))
    stats.record(Served("coder", "coder-1", 503, False, 0.5, error="ServerClosed: gone"))
    return Seen(
        now=NOW,
        models=[CODER],
        replicas={"coder": [replica("coder"), replica("coder", 1)]},
        replica_health={
            "coder-0": TargetHealth("ok", None, None, in_flight=2),
            "coder-1": TargetHealth("failing", "ServerClosed: gone", 10.0),
        },
        upstreams=[NARRATOR],
        server_health={("http://gpu-1:11434/k/CANARY", "qwen3:8b"): TargetHealth("ok", None, 60.0, in_flight=1)},
        served=[PROVEN],
        figures=stats.summary(),
        workers={
            "10.0.0.1:20001": {
                "biai_xinf": "0.5.0",
                "cpu": {"model": "EPYC", "threads": 64},
                "memory_total": 64 * GIB,
                "disk": {"free": 900 * GIB},
                "gpus": [{"index": 0, "name": "L4", "memory_total": 24 * GIB}],
                "engines": {"vLLM": "0.32.0", "llama.cpp": "2026.10.11549"},
            },
            "10.0.0.2:20001": {"error": "no answer within 3 s"},
        },
    )


# The document


def test_the_document_says_what_serves_each_role_how_well_and_why_one_may_trust_it() -> None:
    document = status_document(seen())

    assert (document["now"], document["window_s"]) == ("2026-11-22T20:00:00Z", WINDOW_S)
    assert document["roles"] == [{"role": "sql", "models": ["coder"]}, {"role": "narrator", "models": ["narrator"]}]
    coder, narrator = document["models"]
    good = {
        "covered_s": WINDOW_S,
        "requests": 1,
        "errors": 0,
        "error_share": 0.0,
        "latency_p50_s": 2.0,
        "latency_p95_s": 2.0,
        "first_byte_p50_s": 0.25,
        "first_byte_p95_s": 0.25,
        "tokens_per_s": 25.0,
        "prompt_tokens": 500,
        "completion_tokens": 50,
        "last_error": None,
    }
    nothing = dict.fromkeys(good) | {"covered_s": WINDOW_S}
    last_error = {"at": "2026-11-22T19:59:50Z", "status": 503, "error": "ServerClosed: gone"}
    bad = nothing | {"requests": 1, "errors": 1, "error_share": 1.0, "last_error": last_error}
    assert coder == {
        "uid": "coder",
        "kind": "native",
        "role": "sql",
        "aliases": ["sql-main", "sqlcoder:7b"],
        "fallback": [],
        "state": "degraded",
        "runs": "qwen2.5-coder-instruct 1.5B ggufv2 q4_k_m on llama.cpp",
        "context": 8192,
        "spec": "sql-coder",
        "recipe": "cpu",
        "targets": [
            {
                "name": "coder-0",
                "kind": "replica",
                "where": "10.0.0.1:20001",
                "state": "ok",
                "reason": None,
                "since": None,
                "in_flight": 2,
                "figures": good,
            },
            {
                "name": "coder-1",
                "kind": "replica",
                "where": "10.0.0.2:20001",
                "state": "failing",
                "reason": "ServerClosed: gone",
                "since": "2026-11-22T19:59:50Z",
                "in_flight": 0,
                "figures": bad,
            },
        ],
        "in_flight": 2,
        "figures": good | {"requests": 2, "errors": 1, "error_share": 0.5, "last_error": last_error},
        "evidence": {
            "verified_at": "2026-11-22T19:30:00Z",
            "checks": [
                {"asked": "How many customers?", "problem": None},
                {"asked": "Which city?", "problem": "wrong rows"},
            ],
        },
        "last_change": {"at": "2026-11-22T19:59:50Z", "what": "coder-1 is failing"},
    }
    assert narrator == {
        "uid": "narrator",
        "kind": "upstream",
        "role": "narrator",
        "aliases": [],
        "fallback": ["coder"],
        "state": "degraded",
        "runs": "qwen3:8b on ollama, qwen3 on vllm",
        "context": 32768,
        "spec": None,
        "recipe": None,
        "targets": [
            {
                "name": "qwen3:8b on ollama",
                "kind": "server",
                "where": "gpu-1:11434",
                "state": "ok",
                "reason": None,
                "since": "2026-11-22T19:59:00Z",
                "in_flight": 1,
                "figures": None,
            },
            {
                "name": "qwen3 on vllm",
                "kind": "server",
                "where": "gpu-2:8000",
                "state": "unknown",
                "reason": None,
                "since": None,
                "in_flight": 0,
                "figures": None,
            },
        ],
        "in_flight": 1,
        "figures": None,
        "evidence": None,
        "last_change": {"at": "2026-11-22T19:59:00Z", "what": "qwen3:8b on ollama is ok"},
    }
    assert [entry["address"] for entry in document["workers"]] == ["10.0.0.1:20001", "10.0.0.2:20001"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["READY", "READY"], "ok"),
        (["READY", "ERROR"], "degraded"),
        (["CREATING", "ERROR"], "starting"),
        (["ERROR", "ERROR"], "failing"),
        (["READY", "TERMINATED"], "ok"),
        (["SOMETHING_NEW"], "unknown"),
    ],
)
def test_a_model_is_as_well_as_its_replicas(statuses: list[str], expected: str) -> None:
    replicas = {"coder": [replica("coder", number, status) for number, status in enumerate(statuses)]}

    (model,) = status_document(Seen(NOW, models=[CODER], replicas=replicas))["models"]

    assert model["state"] == expected


def test_a_model_that_failed_to_load_is_shown_though_xinference_does_not_list_it() -> None:
    replicas = {"big": [replica("big", 0, "ERROR", error_message="CUDA out of memory")]}

    (model,) = status_document(Seen(NOW, replicas=replicas))["models"]

    assert (model["uid"], model["state"]) == ("big", "failing")
    assert model["targets"][0]["reason"] == "CUDA out of memory"


def test_a_proven_model_that_no_longer_runs_is_stopped_and_other_stopped_models_are_gone() -> None:
    replicas = {"coder": [replica("coder", 0, "TERMINATED")], "other": [replica("other", 0, "TERMINATED")]}

    models = status_document(Seen(NOW, replicas=replicas, served=[PROVEN]))["models"]

    assert [(model["uid"], model["state"], model["targets"]) for model in models] == [("coder", "stopped", [])]


def test_an_upstream_in_xinferences_own_list_is_shown_once() -> None:
    entry = {"id": "narrator", "model_engine": "upstream"}

    models = status_document(replace(seen(), models=[CODER, entry]))["models"]

    assert [(model["uid"], model["kind"]) for model in models] == [("coder", "native"), ("narrator", "upstream")]


def test_what_the_gate_knows_becomes_health() -> None:
    failing = Health("failing", "refused", since=90.0, in_flight=1)
    died = Replica("coder", "coder-0", "w", reason="gone", since=95.0, in_flight=2)

    assert TargetHealth.of_server(Health(), 100.0) == TargetHealth("unknown", None, None)
    assert TargetHealth.of_server(failing, 100.0) == TargetHealth("failing", "refused", 10.0, 1)
    assert TargetHealth.of_replica(Replica("coder", "coder-0", "w"), 100.0) == TargetHealth("ok", None, None)
    assert TargetHealth.of_replica(died, 100.0) == TargetHealth("failing", "gone", 5.0, 2)


def test_nothing_at_all_is_a_document_and_a_page() -> None:
    document = status_document(Seen(NOW))

    assert document["models"] == document["roles"] == []
    assert document["workers"] is None
    assert "biai-xinf launch sql-coder" in Parsed(operator_page(document)).text


def test_no_secret_gets_into_the_document_or_the_page() -> None:
    document = status_document(seen())

    assert "CANARY" not in json.dumps(document)
    assert b"CANARY" not in operator_page(document).body


# The page


class Parsed(HTMLParser):
    """A page as a browser reads it; raises where its elements do not nest."""

    def __init__(self, rendered: Rendered) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(rendered.body.decode())
        self.close()
        assert self._open == []
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style"):
            self.raw[self._open[-1]] = self.raw.get(self._open[-1], "") + data
        else:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page() -> Rendered:
    return operator_page(status_document(seen()))


def test_without_javascript_and_without_auth_the_page_is_a_snapshot_that_reloads_itself() -> None:
    found = Parsed(page())

    assert found.all("html") == [{"lang": "en", "data-auth": "off"}]
    assert {"http-equiv": "refresh", "content": "10"} in found.all("meta")
    for expected in (
        "As of 2026-11-22 20:00:00 UTC. Figures cover the last 5 minutes.",
        "sql coder ▲ degraded 2 s / 2 s",
        "250 ms / 250 ms 25.0 2 1 (50%) 2",
        "✕ failing since 2026-11-22 19:59:50 UTC ServerClosed: gone",
        "Evidence: 1 of 2 answers right, 2026-11-22 19:30:00 UTC",
        "How many customers? ● right",
        "Which city? ✕ wrong wrong rows",
        "EPYC, 64 threads 64 GiB 0: L4 24 GiB 900 GiB llama.cpp 2026.10.11549, vLLM 0.32.0 0.5.0",
        "no answer within 3 s",
    ):
        assert expected.replace(" ", "") in found.text.replace(" ", "")


def test_with_auth_the_page_holds_no_data_and_says_how_to_get_some() -> None:
    found = Parsed(operator_page(None))

    assert found.all("html") == [{"lang": "en", "data-auth": "on"}]
    assert "refresh" not in {attributes.get("http-equiv") for attributes in found.all("meta")}
    assert "this page needs JavaScript to send yours" in found.text
    assert found.all("article") == found.all("table") == []


def test_a_token_is_kept_for_the_tab_only_and_sent_as_bearer() -> None:
    script = Parsed(operator_page(None)).raw["script"]

    assert '{Authorization: "Bearer " + sent}' in script
    assert "localStorage" not in script
    assert "document.cookie" not in script
    assert set(re.findall(r'sessionStorage\.\w+\((\w+|"\w+")', script)) == {"OURS", '"token"'}


@pytest.mark.parametrize("rendered", [page(), operator_page(None), status_answer(status_document(seen()), b"as=html")])
def test_the_page_may_run_and_style_nothing_but_what_is_in_its_file(rendered: Rendered) -> None:
    policy = dict(part.split(" ", 1) for part in rendered.headers["content-security-policy"].split("; "))
    found = Parsed(rendered)

    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == policy["img-src"] == "'self'"
    for name, content in found.raw.items():
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[f"{name}-src"] == f"'sha256-{digest}'"
    assert not [key for _, attributes in found.tags for key in attributes if key == "style" or key.startswith("on")]
    assert (rendered.headers["cache-control"], rendered.headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_the_page_needs_nothing_from_anywhere_else() -> None:
    found = Parsed(page())

    links = [value for _, attributes in found.tags for key in ("href", "src") if (value := attributes.get(key))]
    assert [link for link in links if ":" in link or link.startswith("//")] == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(", found.raw["style"])
    assert not re.search(r"https?:|import[ (]|innerHTML|eval\(", found.raw["script"])


def test_a_screen_reader_finds_its_way() -> None:
    found = Parsed(page())

    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"for": "token"} in found.all("label")
    assert all(attributes.get("scope") in ("col", "row") for attributes in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(div["aria-label"] for div in found.all("div") if div.get("class") == "scroll")
    anchors = {link["href"] for link in found.all("a") if str(link["href"]).startswith("#")}
    assert anchors == {"#model-coder", "#model-narrator"}
    assert {str(anchor)[1:] for anchor in anchors} <= set(ids)


def hostile(document: Json) -> Json:
    """The same document with all its words replaced by markup, except those that choose what is shown."""
    chosen = {"role", "kind", "state", "now", "since", "at", "verified_at"}

    def words(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: words(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [words(one, key) for one in value]
        return HOSTILE if isinstance(value, str) and key not in chosen and key != "models" else value

    return words(document)  # type: ignore[no-any-return]


def test_markup_in_names_reasons_and_answers_is_shown_not_run() -> None:
    usual = status_document(seen())
    nasty = hostile(usual)

    found, expected = Parsed(operator_page(nasty)), Parsed(operator_page(usual))

    assert [tag for tag, _ in found.tags] == [tag for tag, _ in expected.tags]
    assert [sorted(attributes) for _, attributes in found.tags] == [
        sorted(attributes) for _, attributes in expected.tags
    ]
    assert found.raw == expected.raw
    assert "<script>alert(1)</script>" in found.text


def test_a_model_named_like_markup_is_harmless_from_xinferences_answer_to_the_page() -> None:
    entry = {**CODER, "id": HOSTILE, "model_name": HOSTILE}
    document = status_document(Seen(NOW, models=[entry], replicas={HOSTILE: [replica(HOSTILE, error_message=HOSTILE)]}))

    found = Parsed(operator_page(document))

    assert len(found.all("script")) == 1
    assert found.all("img") == []
    assert f"<h3>{HOSTILE}" not in fragment(document)


@given(st.text(), st.text())
def test_text_never_becomes_markup(content: str, value: str) -> None:
    made = element("p", content, title=value)

    assert isinstance(made, Html)
    assert re.fullmatch(r'<p title="[^"<>]*">[^<>]*</p>', made, re.DOTALL)


def test_markup_is_taken_as_it_is_and_nothing_leaves_nothing() -> None:
    assert joined(element("b", "1 < 2"), None, " & ") == "<b>1 &lt; 2</b> &amp; "
    assert element("i", class_="x", open=True, id=None, hidden=False, aria_label="a") == (
        '<i class="x" open aria-label="a"></i>'
    )


# /biai/status


def test_status_is_json_unless_the_page_asks_for_its_own_part() -> None:
    document = status_document(seen())

    as_json, as_html = status_answer(document), status_answer(document, b"as=html")

    assert (as_json.content_type, json.loads(as_json.body)) == ("application/json", document)
    assert as_json.headers["cache-control"] == "no-store"
    assert as_html.content_type == "text/html; charset=utf-8"
    assert as_html.body.decode() == fragment(document)
    assert fragment(document) in page().body.decode()


# In a browser, where there is one

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no headless browser on this machine")
def test_a_browser_runs_the_page_under_its_policy_and_renews_what_it_shows(tmp_path: Any) -> None:
    first, later = status_document(seen()), hostile(status_document(replace(seen(), models=[{**CODER, "id": "new"}])))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            known = {
                "/biai": lambda: operator_page(first),
                "/biai/status": lambda: status_answer(later, query.encode()),
            }
            rendered = known[path]() if path in known else Rendered("text/plain", b"", {})
            self.send_response(200 if path in known else 404)
            for name, value in {"content-type": rendered.content_type, **rendered.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(rendered.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        done = subprocess.run(
            [
                str(BROWSER),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path}",
                "--virtual-time-budget=2000",
                "--dump-dom",
                f"http://127.0.0.1:{server.server_address[1]}/biai",
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        server.shutdown()
        server.server_close()

    shown = done.stdout[done.stdout.index("<main>") : done.stdout.index("</main>")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "qwen2.5-coder-instruct" not in shown
    assert "<script" not in shown
    assert "<img" not in shown
