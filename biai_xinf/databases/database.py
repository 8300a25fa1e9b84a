"""What `ask` needs of a database, whichever it is; nothing here can write."""

from __future__ import annotations

from typing import Protocol

from biai_xinf.databases.rows import Rows
from biai_xinf.databases.schema import Schema
from biai_xinf.specs import Dialect


class Database(Protocol):
    """An open connection that only reads.

    Whatever fails raises QuestionFailed; QueryRejected where another query may do. Ctrl-C ends the statement that runs.
    """

    @property
    def dialect(self) -> Dialect:
        """What its queries are written in."""

    def schema(self) -> Schema:
        """Its tables and views."""

    def query(self, sql: str, *, limit: int = 1000, seconds: float = 10) -> Rows:
        """The first `limit` rows of one query, which never holds more in memory, nor runs for more than `seconds`."""

    def explain(self, sql: str, *, seconds: float = 10) -> Rows:
        """How the database would run the query, one line a row; it is not run."""

    def close(self) -> None:
        """End the connection."""
