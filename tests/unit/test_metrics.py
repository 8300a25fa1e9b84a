"""Upstream models at Xinference's own `GET /metrics`, with its real collectors in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("aioprometheus")
pytest.importorskip("xinference")

ROOT = Path(__file__).parents[2]

# What Xinference's API process does before it serves (RESTfulAPI.serve, 4.1.0), and an upstream with a secret path.
PREPARED = """
import sys
from aioprometheus import REGISTRY, render
from xinference.core import metrics as theirs
for collector in list(REGISTRY.get_all()):
    if collector.name in theirs._WORKER_ONLY_METRICS:
        REGISTRY.deregister(collector.name)

from biai_xinf.extension.metrics import Metrics
from biai_xinf.extension.stats import Served
from biai_xinf.upstreams import Upstream

URL, CANARY_URL = "http://gpu-1:11434", "https://gpu-2/ollama/k/CANARY"
upstream = Upstream.model_validate({"name": "sql", "role": "sql", "servers": [
    {"provider": "ollama", "url": URL, "model": "coder:7b", "key_env": "CANARY_ENV"},
    {"provider": "vllm", "url": CANARY_URL, "model": "coder"}]})
metrics = Metrics({"sql": upstream}.get)

def show(*prefixes):
    for line in sorted(render(REGISTRY, [])[0].decode().splitlines()):
        if line.startswith(prefixes):
            print(line)
"""

FIRST = (
    'engine="ollama",format="",gpu_index="",model_name="coder:7b",model_type="LLM",model_uid="sql",'
    'quantization="none",replica_index="0"'
)
SECOND = FIRST.replace("ollama", "vllm").replace("coder:7b", "coder").replace('index="0"', 'index="1"')


def printed(script: str, **environment: str) -> list[str]:
    """What a fresh process prints; collectors live as long as theirs."""
    code = PREPARED + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "XINFERENCE_DISABLE_METRICS": "0", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_answers_of_upstream_servers_are_counted_under_the_names_and_labels_of_native_models() -> None:
    found = printed(
        """
        metrics.record(Served("sql", URL, 200, True, 0.3, 0.04, 100, 20))
        metrics.record(Served("sql", URL, 200, False, 3.0, None, 50, 10))
        metrics.record(Served("sql", CANARY_URL, 502, False, 0.02, error="it refused the key CANARY"))
        show("xinference:model_request_total{", "xinference:model_request_errors_total{",
             "xinference:input_tokens_total_counter{", "xinference:output_tokens_total_counter{",
             "xinference:generate_tokens_total{", "xinference:time_to_first_token_seconds_sum{",
             "xinference:model_request_duration_seconds_sum{", "xinference:model_request_duration_seconds_count{")
        """
    )

    at_first, at_second = f'{{{FIRST},worker_address="gpu-1:11434"}}', f'{{{SECOND},worker_address="gpu-2"}}'

    def by_stream(labels: str, stream: str) -> str:
        return labels.replace(",worker_address", f',stream="{stream}",worker_address')

    assert found == sorted(
        [
            f"xinference:model_request_total{by_stream(at_first, 'true')} 1",
            f"xinference:model_request_total{by_stream(at_first, 'false')} 1",
            f"xinference:model_request_total{by_stream(at_second, 'false')} 1",
            f"xinference:model_request_errors_total{at_second} 1",
            f"xinference:input_tokens_total_counter{at_first} 150",
            f"xinference:output_tokens_total_counter{at_first} 30",
            f"xinference:generate_tokens_total{at_first} 30",
            f"xinference:time_to_first_token_seconds_sum{by_stream(at_first, 'true')} 0.04",
            f"xinference:time_to_first_token_seconds_sum{by_stream(at_first, 'false')} 3.0",
            f"xinference:model_request_duration_seconds_sum{at_first} 3.3",
            f"xinference:model_request_duration_seconds_sum{at_second} 0.02",
            f"xinference:model_request_duration_seconds_count{at_first} 2.0",
            f"xinference:model_request_duration_seconds_count{at_second} 1.0",
        ]
    )


def test_no_secret_gets_into_the_metrics() -> None:
    found = printed(
        """
        metrics.record(Served("sql", CANARY_URL, 502, False, 0.02, error="it refused the key CANARY"))
        metrics.show_health([(upstream, 1, "failing")])
        show("")
        """
    )

    assert any("biai_upstream_up{" in line for line in found)
    assert not [line for line in found if "CANARY" in line]


def test_native_models_and_servers_of_another_upstream_are_left_to_who_counts_them() -> None:
    found = printed(
        """
        metrics.record(Served("coder", "coder-0", 200, False, 0.3))
        metrics.record(Served("sql", "http://removed:1", 200, False, 0.3))
        show("xinference:model_request")
        """
    )

    assert found == []


def test_health_shows_what_is_known_now_and_nothing_else() -> None:
    found = printed(
        """
        metrics.show_health([(upstream, 0, "ok"), (upstream, 1, "failing")])
        show("xinference:biai_upstream_up{")
        print("then")
        metrics.show_health([(upstream, 0, "failing"), (upstream, 1, "unknown")])
        show("xinference:biai_upstream_up{")
        """
    )

    assert found == [
        f'xinference:biai_upstream_up{{{FIRST},worker_address="gpu-1:11434"}} 1',
        f'xinference:biai_upstream_up{{{SECOND},worker_address="gpu-2"}} 0',
        "then",
        f'xinference:biai_upstream_up{{{FIRST},worker_address="gpu-1:11434"}} 0',
    ]


def test_replays_and_fallbacks_are_counted_for_every_model() -> None:
    found = printed(
        """
        metrics.replayed("coder")
        metrics.replayed("coder")
        metrics.fell_back("sql", "coder")
        show("xinference:biai_replays_total{", "xinference:biai_fallbacks_total{")
        """
    )

    assert found == [
        'xinference:biai_fallbacks_total{fallback="coder",model_uid="sql"} 1',
        'xinference:biai_replays_total{model_uid="coder"} 2',
    ]


def test_nothing_is_counted_where_metrics_are_off() -> None:
    found = printed(
        """
        metrics.record(Served("sql", URL, 200, False, 0.3))
        metrics.replayed("coder")
        metrics.show_health([(upstream, 0, "ok")])
        show("xinference:biai", "xinference:model_request")
        """,
        XINFERENCE_DISABLE_METRICS="1",
    )

    assert found == []


def test_the_labels_are_those_that_xinference_gives_its_own_models() -> None:
    found = printed(
        """
        import inspect, re
        from biai_xinf.extension.metrics import _labels
        from pathlib import Path
        import xinference
        source = (Path(xinference.__file__).parent / "core" / "model.py").read_text()
        block = re.search(r"self\\._metrics_labels = \\{(.*?)\\n        \\}", source, re.DOTALL)[1]
        print(sorted(re.findall(r'^            "(\\w+)":', block, re.MULTILINE)) == sorted(_labels(upstream, 0)))
        """
    )

    assert found == ["True"]


def test_the_documented_metrics_are_those_there_are() -> None:
    documented = re.findall(
        r"^\| `(xinference:\w+)`", (ROOT / "docs" / "operator-page.md").read_text("utf-8"), re.MULTILINE
    )

    found = printed(
        """
        from dataclasses import fields
        from biai_xinf.extension.metrics import _collectors
        known = _collectors()
        print(*sorted(getattr(known, field.name).name for field in fields(known)), sep="\\n")
        """
    )

    assert found == sorted(documented)
