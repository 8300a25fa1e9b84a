"""PostgreSQL as `ask` uses it, on a real server: what cannot be done to it, and what is said then.

Nothing here goes through the SQL gate: what a query must not do, the transaction forbids.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from biai_xinf.databases import Database, Rows, open_database
from biai_xinf.errors import MissingExtra, QueryRejected, QuestionFailed
from tests import postgres as servers
from tests.commandline import interruptible

psycopg = pytest.importorskip("psycopg")

SALES = """
CREATE SCHEMA sales;
CREATE TYPE sales.state AS ENUM ('new', 'paid');
CREATE TABLE sales.orders (
  id integer PRIMARY KEY, state sales.state NOT NULL, tags text[], note varchar(20), doc jsonb, made timestamptz
);
COMMENT ON TABLE sales.orders IS 'Orders of the shop';
COMMENT ON COLUMN sales.orders.state IS 'where it is';
INSERT INTO sales.orders VALUES (1, 'paid', '{a,b}', 'Zażółć', '{}', '2024-02-29 12:00+00'), (2, 'new', NULL, NULL, NULL, NULL);
CREATE TABLE "Line Items" ("No" integer, "order" integer REFERENCES sales.orders, PRIMARY KEY ("No", "order"));
CREATE TABLE days (day date, amount numeric) PARTITION BY RANGE (day);
CREATE TABLE days_2024 PARTITION OF days FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO days VALUES ('2024-05-01', 1.50);
CREATE VIEW paid AS SELECT id FROM sales.orders WHERE state = 'paid';
CREATE MATERIALIZED VIEW totals AS SELECT sum(amount) AS total FROM days;
CREATE SEQUENCE numbers;
CREATE TABLE log (at timestamptz);
CREATE FUNCTION write_log() RETURNS integer LANGUAGE sql AS 'INSERT INTO log VALUES (now()) RETURNING 1';
"""


@pytest.fixture(scope="module")
def dsn(postgres: str) -> str:
    return servers.new_database(postgres, SALES)


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    with closing(open_database(dsn)) as opened:
        yield opened


def test_every_kind_of_table_is_read_with_its_columns(database: Database) -> None:
    schema = database.schema()

    assert {table.written: [f"{it.written} {it.type}" for it in table.columns] for table in schema.tables} == {
        '"Line Items"': ['"No" integer', '"order" integer'],
        "days": ["day date", "amount numeric"],
        "paid": ["id integer"],
        "totals": ["total numeric"],
        "log": ["at timestamp with time zone"],
        "sales.orders": [
            "id integer",
            "state sales.state",
            "tags text[]",
            "note character varying(20)",
            "doc jsonb",
            "made timestamp with time zone",
        ],
    }
    assert [table.name for table in schema.tables][-1] == "sales.orders"
    assert schema.unreadable == ()


def test_keys_references_enums_and_comments_are_read(database: Database) -> None:
    lines, orders = database.schema().only(["Line Items", "orders"]).tables

    assert [column.written for column in lines.columns if column.key] == ['"No"', '"order"']
    assert [(it.columns, it.table, it.others) for it in lines.references] == [(('"order"',), "sales.orders", ("id",))]
    assert (orders.comment, orders.columns[1].comment) == ("Orders of the shop", "where it is; one of 'new', 'paid'")


def test_tables_of_the_search_path_need_no_schema(dsn: str) -> None:
    with closing(open_database(f"{dsn}?options=-csearch_path%3Dsales,public")) as database:
        (orders,) = database.schema().only(["orders"]).tables

        assert (orders.written, orders.name) == ("orders", "sales.orders")
        assert database.query("SELECT count(*) FROM orders").rows == ((2,),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT write_log()",
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 7)",
        "CREATE TEMP TABLE x (a integer)",
        "SELECT 1 INTO TEMP x",
        "WITH gone AS (DELETE FROM log RETURNING 1) SELECT * FROM gone",
        "SELECT * FROM log FOR UPDATE",
        "COPY log TO STDOUT",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SET transaction_read_only = off",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT 1; COMMIT; DELETE FROM days",
        "COMMIT",
        "CALL nothing()",
        "DO 'BEGIN END'",
        "LOCK TABLE days",
        "REFRESH MATERIALIZED VIEW totals",
    ],
)
def test_whatever_does_more_than_read_fails(dsn: str, database: Database, sql: str) -> None:
    with psycopg.connect(dsn) as watching:
        before = watching.execute(
            "SELECT (SELECT count(*) FROM days), (SELECT count(*) FROM log), last_value FROM numbers"
        ).fetchone()

    with pytest.raises(QuestionFailed, match="the query failed"):
        database.query(sql)
    with pytest.raises(QuestionFailed, match="the query failed"):
        database.explain(f"SELECT 1; {sql}")

    with psycopg.connect(dsn) as watching:
        after = watching.execute(
            "SELECT (SELECT count(*) FROM days), (SELECT count(*) FROM log), last_value FROM numbers"
        ).fetchone()
    assert after == before
    assert database.query("SELECT current_setting('transaction_read_only')").rows == (("on",),)


def test_a_setting_that_a_query_changes_is_gone_with_its_transaction(database: Database) -> None:
    database.query("SELECT set_config('statement_timeout', '0', false), set_config('work_mem', '1GB', false)")

    assert database.query("SELECT current_setting('work_mem')").rows == (("4MB",),)
    with pytest.raises(QuestionFailed, match=r"took longer than 0\.3 s"):
        database.query("SELECT pg_sleep(20)", seconds=0.3)


def test_a_query_that_takes_too_long_is_ended_by_the_server(dsn: str, database: Database) -> None:
    begun = time.monotonic()

    with pytest.raises(QuestionFailed, match=r"the query took longer than 0\.3 s"):
        database.query("SELECT pg_sleep(20)", seconds=0.3)

    assert time.monotonic() - begun < 10
    assert running(dsn) == 0
    assert database.query("SELECT 1").rows == ((1,),)


def test_a_table_that_is_being_altered_is_not_waited_for(dsn: str, database: Database) -> None:
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(QuestionFailed, match="the query waits for a table that somebody else is changing"):
            database.query("SELECT * FROM log")
        other.rollback()


def test_rows_beyond_the_limit_stay_at_the_server(database: Database) -> None:
    # Imported here: Windows has none, and collects this test all the same.
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = database.query("SELECT n, repeat('x', 1000) FROM generate_series(1, 1000000) AS n", limit=10)

    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (len(found.rows), found.cut) == (10, True)
    # All of them are a gigabyte.
    assert grown_mib < 100


def test_a_plan_is_shown_and_nothing_is_run(database: Database) -> None:
    begun = time.monotonic()

    plan = database.explain("SELECT pg_sleep(20)")

    assert plan == Rows(("QUERY PLAN",), (("Result  (cost=0.00..0.01 rows=1 width=4)",),))
    assert time.monotonic() - begun < 10
    with pytest.raises(QueryRejected, match="syntax error"):
        database.explain("ANALYZE SELECT write_log()")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT nam FROM paid", 'column "nam" does not exist'),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT ROUND(1.5::float8, 1)", "function round(double precision, integer) does not exist (No function matches the given name and argument types. You might need to add explicit type casts.)"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told_apart_from_all_else_that_fails(database: Database, sql: str, reason: str) -> None:
    with pytest.raises(QueryRejected) as failed:
        database.query(sql)

    assert failed.value.reason == reason


def test_what_may_not_be_read_is_left_out_and_fails(dsn: str) -> None:
    with psycopg.connect(dsn) as admin:
        admin.execute("DROP ROLE IF EXISTS reader")
        admin.execute(f"CREATE ROLE reader LOGIN PASSWORD '{servers.PASSWORD}'")
        admin.execute("GRANT SELECT ON paid TO reader; GRANT SELECT (amount) ON days TO reader")
    try:
        with closing(open_database(dsn.replace("//admin:", "//reader:"))) as database:
            schema = database.schema()
            with pytest.raises(QuestionFailed, match="permission denied for schema sales") as failed:
                database.query("SELECT * FROM sales.orders")
    finally:
        with psycopg.connect(dsn) as admin:
            admin.execute("DROP OWNED BY reader; DROP ROLE reader")

    assert schema.columns == {"days": ["amount"], "paid": ["id"]}
    assert schema.unreadable == ('"Line Items"', "totals", "log", "sales.orders")
    assert not isinstance(failed.value, QueryRejected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("not-to-be-shown", "wrong"), 'password authentication failed for user "admin"'),
        (("/postgres", "/nowhere"), 'database "nowhere" does not exist'),
        (("admin", "nobody"), 'password authentication failed for user "nobody"'),
    ],
    ids=["password", "database", "user"],
)
def test_what_cannot_be_opened_is_said_in_one_sentence(postgres: str, change: tuple[str, str], said: str) -> None:
    with pytest.raises(QuestionFailed) as failed:
        open_database(postgres.replace(*change))

    shown = postgres.replace(*change).replace(":not-to-be-shown", "").replace(":wrong", "")
    assert failed.value.message == f"`{shown}` cannot be reached: {said}"
    assert failed.value.hint == "passwords come from the DSN, PGPASSWORD or ~/.pgpass"


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/shop", "`postgresql://me@127.0.0.1:1/shop` cannot be reached: Connection refused"),
        ("postgresql://me:sec@ret@127.0.0.1/shop", "the DSN cannot be read"),
        ("postgresql://me:1/secret@127.0.0.1/shop", "the DSN cannot be read"),
        ("postgresql://me:1?secret@127.0.0.1/shop", "the DSN cannot be read"),
        ("postgresql://127.0.0.1/shop?password=secret&nonsense=1", "the DSN cannot be read"),
        ("postgresql://me:secret@127.0.0.1:70000/shop", '`postgresql://me@127.0.0.1:70000/shop` cannot be reached: invalid port number: "70000"'),
    ],
)  # fmt: skip
def test_no_error_tells_a_password(dsn: str, said: str) -> None:
    with pytest.raises(QuestionFailed) as failed:
        open_database(dsn)

    assert failed.value.message == said
    assert "sec" not in str(failed.value)
    assert "sec" not in str(failed.value.__cause__)


def test_a_password_may_come_from_the_environment(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)

    with closing(open_database(postgres.replace(f":{servers.PASSWORD}", ""))) as database:
        assert database.query("SELECT 1").rows == ((1,),)


def test_a_connection_that_is_cut_is_said_to_be_lost(dsn: str, database: Database) -> None:
    (pid,) = database.query("SELECT pg_backend_pid()").rows[0]
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(QuestionFailed, match="the connection to the database was lost"):
        database.query("SELECT 1")


def test_a_query_that_somebody_cancels_is_not_said_to_be_slow(dsn: str, database: Database) -> None:
    (pid,) = database.query("SELECT pg_backend_pid()").rows[0]

    def cancel() -> None:
        with psycopg.connect(dsn, autocommit=True) as admin:
            while not running(dsn):
                time.sleep(0.02)
            admin.execute("SELECT pg_cancel_backend(%s)", (pid,))

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(QuestionFailed, match="the query failed: canceling statement due to user request"):
        database.query("SELECT pg_sleep(30)", seconds=60)
    thread.join()


SLEEPS = """
import sys
from biai_xinf.databases import open_database
database = open_database(sys.argv[1])
try:
    database.query("SELECT pg_sleep(50)", seconds=60)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_the_statement_in_the_database(dsn: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPS, dsn], preexec_fn=interruptible)
    deadline = time.monotonic() + 30
    while not running(dsn):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    os.kill(process.pid, signal.SIGINT)

    assert process.wait(30) == 130
    assert running(dsn) == 0


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "biai_xinf.databases.postgres", raising=False)

    with pytest.raises(MissingExtra) as failed:
        open_database("postgresql://127.0.0.1/shop")

    assert (failed.value.message, failed.value.hint) == (
        "PostgreSQL is asked through `psycopg`, which is not installed",
        "pip install 'biai-xinf[postgres]'",
    )


def running(dsn: str) -> int:
    """How many of our sessions the server works for."""
    with psycopg.connect(dsn) as watching:
        told = watching.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'biai-xinf'"
        ).fetchone()
    assert told is not None
    return int(told[0])
