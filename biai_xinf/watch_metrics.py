"""What a watch sees, for Prometheus: its own numbers at a port of its own, in the text format 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from biai_xinf.errors import BiaiXinfError
from biai_xinf.watch import Event, Seen


class Metrics:
    """Counts of one watch; `seen` is asked whenever somebody looks."""

    def __init__(self, seen: Callable[[], Seen]) -> None:
        self._seen = seen
        self._events: Counter[str] = Counter({"cluster": 0, "ready": 0, "doing": 0, "failed": 0, "refused": 0})
        self._turns = 0

    def count_turn(self) -> None:
        self._turns += 1

    def count(self, event: Event) -> None:
        self._events[event.kind] += 1

    def text(self) -> str:
        """All of it as Prometheus reads it."""
        seen = self._seen()
        lines = _metric("turns_total", "counter", "Looks at the cluster.", self._turns)
        lines += _metric("reachable", "gauge", "Whether the supervisor answered the last look.", int(seen.reachable))
        lines += _metric("workers", "gauge", "Workers that are there.", seen.workers)
        lines += _metric("models_wished", "gauge", "Models that the file names.", seen.wished)
        lines += _metric("models_as_wished", "gauge", "Of these, those that run with all replicas.", seen.as_wished)
        lines += _metric("changes_under_way", "gauge", "Launches and the like that go on.", seen.busy)
        name = "biai_xinf_watch_events_total"
        lines += [f"# HELP {name} Lines said, by kind.", f"# TYPE {name} counter"]
        lines += [f'{name}{{kind="{kind}"}} {count}' for kind, count in self._events.items()]
        return "\n".join([*lines, ""])


def _metric(name: str, kind: str, help_text: str, value: int) -> list[str]:
    name = f"biai_xinf_watch_{name}"
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]


def serve(metrics: Metrics, host: str, port: int) -> ThreadingHTTPServer:
    """Answer `GET /metrics` in a thread of its own; BiaiXinfError where the port cannot be had."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/metrics"
            content = (metrics.text() if found else "only /metrics is here\n").encode()
            self.send_response(200 if found else 404)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        hint = "choose another one with `--metrics-port`"
        raise BiaiXinfError(f"port {port} of {host} cannot be listened on: {error.strerror}", hint=hint) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
