"""A real PostgreSQL for tests: the newest that Debian has installed, on loopback, and gone with all it kept.

Tests that ask for it skip where none is installed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from biai_xinf import demo

PASSWORD = "not-to-be-shown"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a server that the whole run shares; its user may do everything."""
    with running_postgres() as dsn:
        yield dsn


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server of its own, which asks for a password and syncs nothing; the value is its DSN."""
    programs = _programs()
    # Not pytest's folder: nobody but its owner may enter that, and PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder, user = Path(name), _unprivileged()
        if user is not None:
            os.chown(folder, user, -1)
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        (folder / "password").chmod(0o644)
        run = {"user": user, "cwd": folder, "env": {"PATH": os.environ["PATH"], "TZ": "UTC"}}
        words = [programs / "initdb", "--pgdata", folder / "data", "--username", "admin", "--auth", "scram-sha-256"]
        words += ["--pwfile", folder / "password", "--encoding", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(words, check=True, capture_output=True, **run)
        port = _free_port()
        words = [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(words, stdout=log, stderr=log, **run)
        try:
            _wait_until_ready(server, folder)
            yield f"postgresql://admin:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(STOP_TIMEOUT_S)


def new_database(server: str, *statements: str) -> str:
    """The DSN of an empty database on the server, or of one where `statements` were run."""
    # Imported here: not every environment that collects these tests has it.
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    dsn = f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(dsn) as database:
        for statement in statements:
            database.execute(statement)
    return dsn


def demo_shop(server: str) -> str:
    """The DSN of the demo shop in a database of its own: days as dates, prices as exact numbers."""
    # Imported here: not every environment that collects these tests has it.
    import psycopg

    schema = re.sub(r"_date TEXT", "_date DATE", demo.SCHEMA).replace(" REAL", " NUMERIC(10, 2)")
    dsn = new_database(server, schema)
    with closing(demo.in_memory()) as shop, psycopg.connect(dsn) as database, database.cursor() as cursor:
        for table in ("customers", "products", "orders", "order_items"):
            cursor.executemany(*_insert(shop, table))
        cursor.execute("ANALYZE")
    return dsn


def _insert(shop: sqlite3.Connection, table: str) -> tuple[str, list[tuple[object, ...]]]:
    rows = shop.execute(f"SELECT * FROM {table}").fetchall()
    return f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows


def _programs() -> Path:
    """The folder of the newest `initdb` and `postgres`; skips the test where there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda it: float(it.parts[-3]))
    on_path = shutil.which("initdb")
    if not installed and on_path is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    return (installed[-1] if installed else Path(str(on_path)).resolve()).parent


def _unprivileged() -> int | None:
    """Whom to run the server as where we are root; None where it can run as we do."""
    if os.geteuid() != 0:
        return None
    # Imported here: Windows has none, and collects these tests all the same.
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_uid
    return pwd.getpwnam("nobody").pw_uid


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _is_ready(folder / "data" / "postmaster.pid"):
        if server.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"PostgreSQL did not start: {(folder / 'log').read_text(encoding='utf-8')}")
        time.sleep(0.05)


def _is_ready(told: Path) -> bool:
    # The last of its lines is what the server says of itself.
    with contextlib.suppress(FileNotFoundError):
        return told.read_text(encoding="utf-8").rstrip().endswith("ready")
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
