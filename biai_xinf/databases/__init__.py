"""The databases that questions are asked of, all read alike: SQLite, and PostgreSQL with the extra `postgres`."""

from __future__ import annotations

import re
from pathlib import Path

from biai_xinf import demo
from biai_xinf.databases.database import Database
from biai_xinf.databases.rows import Rows, same_rows
from biai_xinf.databases.schema import Schema, Table
from biai_xinf.databases.sqlite import SqliteDatabase, open_file
from biai_xinf.errors import QuestionFailed

__all__ = ["Database", "Rows", "Schema", "Table", "demo_shop", "open_database", "same_rows"]

_POSTGRES = ("postgresql", "postgres")
# libpq's other way to say the same; such a text may hold a password, and is not shown.
_KEYWORDS = re.compile(r"\b(?:host|hostaddr|port|dbname|user|password|service)\s*=")


def open_database(name: str) -> Database:
    """The database of a path, a URL or a DSN, or the demo shop; QuestionFailed where it cannot be opened."""
    scheme, separator, rest = name.partition("://")
    if name == "demo":
        return demo_shop()
    if not separator and _KEYWORDS.search(name) and not Path(name).exists():
        raise QuestionFailed(
            "the database is not written as a DSN", hint="write it as postgresql://USER@HOST:PORT/NAME"
        )
    if not separator:
        return open_file(Path(name))
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return open_file(Path(rest[1:]))
    if scheme in _POSTGRES:
        # Imported here: SQLite does without psycopg, and it is an extra.
        from biai_xinf.databases.postgres import connect

        return connect(name)
    if scheme == "sqlite":
        raise QuestionFailed("a SQLite URL names a file", hint="sqlite:///shop.db, or sqlite:////srv/shop.db")
    raise QuestionFailed(f"`{scheme}` is no database that can be asked", hint="SQLite files and postgresql:// DSNs are")


def demo_shop() -> SqliteDatabase:
    """The demo shop, in memory."""
    return SqliteDatabase(demo.in_memory(), "demo")
