"""What the gate says, suggests, caps and rewrites."""

from __future__ import annotations

import sys

import pytest

from biai_xinf.adapters.sqlgate import DIALECTS, Code, Dialect, Gate, Problem, Schema, SqlRefused
from tests.sqlgate.statements import schema

SHOP = schema("postgres")


def problems(sql: str, gate: Gate | None = None) -> list[Problem]:
    with pytest.raises(SqlRefused) as refused:
        (gate or Gate("postgres", schema=SHOP)).check(sql)
    return list(refused.value.problems)


# Extraction


@pytest.mark.parametrize(
    ("answer", "sql"),
    [
        pytest.param("```sql\nSELECT name FROM customers;\n```", "SELECT name FROM customers", id="fence"),
        pytest.param("<think>DROP TABLE x?</think>SELECT 1", "SELECT 1", id="reasoning"),
        pytest.param("I will select from orders. SELECT 1 FROM orders", "SELECT 1 FROM orders", id="prose-before"),
        pytest.param("SELECT 1;\n\nThis query gives one row.", "SELECT 1", id="prose-behind"),
        pytest.param("With this you get it:\n```\n-- we select one\nSELECT 1\n```", "SELECT 1", id="prose-with-a-keyword"),
        pytest.param("SELECT (ARRAY_AGG(name))[1] FROM customers", "SELECT (ARRAY_AGG(name))[1] FROM customers", id="array"),
        pytest.param(r"SELECT name FROM customers WHERE name ~ '\d+'", r"SELECT name FROM customers WHERE name ~ '\d+'", id="backslash"),
        pytest.param("SELECT 1 -- a; b\n/* c; */;", "SELECT 1", id="comments"),
        pytest.param("SELECT 'a; b' AS x", "SELECT 'a; b' AS x", id="semicolon-in-a-string"),
    ],
)  # fmt: skip
def test_the_query_of_an_answer_is_found(answer: str, sql: str) -> None:
    assert Gate("postgres", schema=SHOP).check(answer).sql == sql


@pytest.mark.parametrize(
    "answer", ["", "I cannot answer that.", "<think>SELECT 1", "-- nothing", "/* nothing */", "\n ; ;"]
)
def test_an_answer_without_sql_says_so(answer: str) -> None:
    assert [it.code for it in problems(answer)] == [Code.NO_SQL]


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_function_that_wants_a_format_and_has_none_is_refused(dialect: Dialect) -> None:
    assert [it.code for it in problems("SELECT printf()", Gate(dialect))] == [Code.FUNCTION]


def test_a_write_before_a_query_is_not_left_out() -> None:
    assert problems("Run INSERT INTO orders SELECT * FROM orders")[0].code == Code.NOT_A_QUERY


# Problems


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("SELECT nam FROM customers", Problem(Code.COLUMN, "there is no column `nam`", 1, 8, "nam", ("name",)), id="column"),
        pytest.param("SELECT c.nam\nFROM customers c", Problem(Code.COLUMN, "`c` has no column `nam`", 1, 10, "nam", ("c.name",)), id="column-of-a-table"),
        pytest.param("SELECT o.name FROM orders o JOIN customers c USING (customer_id)", Problem(Code.COLUMN, "`o` has no column `name`", 1, 10, "name", ("c.name",)), id="column-of-another-table"),
        pytest.param("SELECT 1\nFROM custommers", Problem(Code.TABLE, "there is no table `custommers`", 2, 6, "custommers", ("customers",)), id="table"),
        pytest.param("SELECT x.name FROM customers c", Problem(Code.COLUMN, "no table of this query is called `x`", 1, 10, "name"), id="alias"),
        pytest.param("SELECT order_id FROM orders o, invoices i", Problem(Code.AMBIGUOUS, "`order_id` may be a column of several tables", 1, 8, "order_id", ("o.order_id", "i.order_id")), id="ambiguous"),
        pytest.param("SELECT total_amount AS t FROM orders WHERE t > 1", Problem(Code.COLUMN, "`t` is an alias of the SELECT list, which cannot be used here; repeat its expression", 1, 44, "t"), id="alias-in-where"),
        pytest.param("SELECT pg_sleep(1)", Problem(Code.FUNCTION, "the function `pg_sleep` is not allowed", 1, 8, "pg_sleep"), id="function"),
        pytest.param("SELECT jsonb_array_lengthh(metadata) FROM orders", Problem(Code.FUNCTION, "the function `jsonb_array_lengthh` is not allowed", 1, 8, "jsonb_array_lengthh", ("jsonb_array_length", "json_array_length")), id="misspelt-function"),
        pytest.param("SELECT * FROM pg_shadow", Problem(Code.TABLE, "`pg_shadow` belongs to the database itself and may not be read", 1, 15, "pg_shadow"), id="system-table"),
        pytest.param("SELECT 1; SELECT 2", Problem(Code.SEVERAL_STATEMENTS, "only one statement is allowed, `SELECT` begins another", 1, 11, "SELECT"), id="two-statements"),
        pytest.param("SELECT FROM orders", Problem(Code.SYNTAX, "SELECT names nothing to select", 1, 13, None), id="nothing-selected"),
        pytest.param("SELECT name FROM customers WHERE", Problem(Code.SYNTAX, "wrong syntax at `WHERE`: something is missing behind it", 1, 28, "WHERE"), id="syntax"),
    ],
)  # fmt: skip
def test_a_problem_says_what_where_and_what_was_meant(sql: str, expected: Problem) -> None:
    assert problems(sql) == [expected]


def test_every_wrong_column_is_named_in_the_order_of_the_text() -> None:
    found = problems(
        "SELECT nam, citty FROM customers WHERE countri = 'PL' AND EXISTS (SELECT 1 FROM orders WHERE orde_id = 1)"
    )

    assert [it.found for it in found] == ["nam", "citty", "countri", "orde_id"]


def test_a_refusal_reads_as_sentences_and_as_data() -> None:
    with pytest.raises(SqlRefused) as refused:
        Gate("postgres", schema=SHOP).check("SELECT nam, citty FROM customers")

    assert str(refused.value) == (
        "the SQL is refused: line 1, column 8: there is no column `nam`; did you mean `name`?\n"
        "  line 1, column 13: there is no column `citty`; did you mean `city`?"
    )
    assert refused.value.problems[0].as_data() == {
        "code": "column",
        "message": "there is no column `nam`",
        "line": 1,
        "column": 8,
        "found": "nam",
        "suggestions": ["name"],
    }


# Names


@pytest.mark.parametrize(
    ("dialect", "sql", "suggestion"),
    [
        pytest.param("postgres", "SELECT Total FROM orders", '"Total"', id="postgres-needs-quotes"),
        pytest.param("postgres", 'SELECT "ID" FROM orders', "id", id="postgres-needs-none"),
        pytest.param("oracle", 'SELECT "id" FROM orders', "id", id="oracle-needs-none"),
    ],
)
def test_quotes_that_are_missing_or_too_many_are_told(dialect: Dialect, sql: str, suggestion: str) -> None:
    gate = Gate(dialect, schema=Schema.from_ddl('CREATE TABLE orders (id INT, "Total" INT)', dialect))

    assert problems(sql, gate)[0].suggestions == (suggestion,)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("WITH t AS (SELECT name AS n FROM customers) SELECT n FROM t", id="cte"),
        pytest.param("WITH t(n) AS (SELECT name FROM customers) SELECT t.n FROM t", id="cte-with-columns"),
        pytest.param("SELECT q.n FROM (SELECT name AS n FROM customers) q", id="derived-table"),
        pytest.param("SELECT q.a FROM (SELECT name, city FROM customers) q(a, b)", id="derived-table-with-columns"),
        pytest.param("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders WHERE customer_id = c.customer_id)", id="correlated"),
        pytest.param("SELECT name AS n FROM customers ORDER BY n", id="alias-in-order"),
        pytest.param("SELECT o.* FROM orders o", id="star"),
        pytest.param("SELECT x.name FROM (SELECT * FROM customers) x", id="star-of-a-derived-table"),
        pytest.param("SELECT customer_id FROM orders JOIN customers USING (customer_id)", id="using"),
        pytest.param("SELECT name FROM (customers JOIN orders USING (customer_id))", id="join-in-parentheses"),
    ],
)  # fmt: skip
def test_names_mean_what_the_nearest_select_says(sql: str) -> None:
    assert Gate("postgres", schema=SHOP).check(sql)


def test_columns_of_ctes_and_derived_tables_are_looked_up() -> None:
    assert (
        problems("WITH t AS (SELECT name FROM customers) SELECT t.city FROM t")[0].message == "`t` has no column `city`"
    )
    assert problems("SELECT city FROM (SELECT name FROM customers) q")[0].message == "there is no column `city`"


def test_a_sequence_or_a_package_is_no_column() -> None:
    bare = Gate("oracle")

    assert problems("SELECT my_package.it FROM dual", bare)[0].code == Code.COLUMN
    assert problems("SELECT my_function FROM dual", bare)[0].code == Code.COLUMN


# Tables


def test_only_listed_tables_may_be_read() -> None:
    gate = Gate("postgres", tables=["orders", "sales.targets"])

    assert gate.check("SELECT 1 FROM orders JOIN sales.targets ON true").tables == ("orders", "sales.targets")
    assert problems("SELECT 1 FROM employees", gate)[0].message == "the table `employees` may not be read"
    assert problems("SELECT 1 FROM hr.orders", gate)[0].message == "the table `hr.orders` may not be read"


@pytest.mark.parametrize("listed", ["orders", "{}.orders", "{}.ORDERS"])
@pytest.mark.parametrize("read", ["orders", "{}.orders", "Orders"])
@pytest.mark.parametrize(
    ("dialect", "default"), [("postgres", "public"), ("tsql", "dbo"), ("sqlite", "main"), ("duckdb", "main")]
)
def test_a_list_and_a_query_may_both_leave_the_default_schema_out(
    dialect: Dialect, default: str, read: str, listed: str
) -> None:
    tables, sql = [listed.format(default)], f"SELECT 1 FROM {read.format(default)}"

    assert Gate(dialect, tables=tables).check(sql)
    assert Gate(dialect, schema=Schema({"orders": ["id"]}, dialect), tables=tables).check(sql)
    assert Gate(dialect, schema=Schema({f"{default}.orders": ["id"]}, dialect), tables=tables).check(sql)


@pytest.mark.parametrize(
    ("dialect", "listed", "read"),
    [
        pytest.param("postgres", "orders", "sales.orders", id="other-schema"),
        pytest.param("postgres", "sales.orders", "orders", id="other-schema-listed"),
        pytest.param("postgres", "orders", "dbo.orders", id="default-of-another-dialect"),
        pytest.param("postgres", "orders", "other.public.orders", id="other-database"),
        pytest.param("postgres", "other.public.orders", "public.orders", id="other-database-listed"),
        pytest.param("postgres", "public.sales.orders", "sales.orders", id="database-called-as-the-default-schema"),
        pytest.param("postgres", "orders", '"PUBLIC".orders', id="schema-in-other-letters"),
        pytest.param("postgres", "orders", '"public.orders"', id="table-with-a-dot"),
        pytest.param("oracle", "orders", "public.orders", id="dialect-without-a-default"),
    ],
)
def test_another_schema_is_not_the_default_one(dialect: Dialect, listed: str, read: str) -> None:
    assert problems(f"SELECT 1 FROM {read}", Gate(dialect, tables=[listed]))[0].code == Code.TABLE


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a", id="named-later"),
        pytest.param("WITH secrets AS (SELECT * FROM secrets) SELECT 1", id="within-itself"),
        pytest.param("SELECT (WITH secrets AS (SELECT 1) SELECT 1) FROM secrets", id="out-of-reach"),
        pytest.param('WITH "SECRETS" AS (SELECT 1) SELECT * FROM secrets', id="other-case"),
        pytest.param("WITH secrets AS (SELECT 1) SELECT * FROM public.secrets", id="with-its-schema"),
    ],
)
def test_a_cte_does_not_lend_its_name_to_a_table(sql: str) -> None:
    assert problems(sql, Gate("postgres", tables=["orders"]))[0].found == "secrets"


def test_a_table_of_the_schema_may_be_called_as_a_catalogue_is() -> None:
    gate = Gate("oracle", schema=Schema({"USER_TABLES": ["ID"]}, "oracle"))

    assert gate.check("SELECT id FROM user_tables").sql == "SELECT id FROM user_tables"


# Row cap


@pytest.mark.parametrize(
    ("dialect", "sql", "capped"),
    [
        ("postgres", "SELECT a FROM t", "SELECT a FROM t LIMIT 10"),
        ("postgres", "SELECT a FROM t LIMIT 5", "SELECT a FROM t LIMIT 5"),
        ("postgres", "SELECT a FROM t LIMIT 50 OFFSET 3", "SELECT a FROM t LIMIT 10 OFFSET 3"),
        ("postgres", "SELECT a FROM t LIMIT ALL", "SELECT * FROM (SELECT a FROM t LIMIT ALL) AS capped LIMIT 10"),
        ("postgres", "SELECT a FROM t UNION SELECT b FROM u", "SELECT a FROM t UNION SELECT b FROM u LIMIT 10"),
        ("postgres", "(SELECT a FROM t LIMIT 50)", "SELECT a FROM t LIMIT 10"),
        ("postgres", "SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t FETCH FIRST ROWS ONLY"),
        ("sqlite", "WITH x AS (SELECT 1 AS a) SELECT a FROM x", "WITH x AS (SELECT 1 AS a) SELECT a FROM x LIMIT 10"),
        ("mysql", "SELECT a FROM t LIMIT 5, 50", "SELECT a FROM t LIMIT 10 OFFSET 5"),
        ("oracle", "SELECT a FROM t", "SELECT a FROM t FETCH FIRST 10 ROWS ONLY"),
        ("oracle", "SELECT a FROM t FETCH FIRST 20 PERCENT ROWS ONLY", "SELECT * FROM (SELECT a FROM t FETCH FIRST 20 PERCENT ROWS ONLY) capped FETCH FIRST 10 ROWS ONLY"),
        ("tsql", "SELECT a FROM t", "SELECT TOP 10 a FROM t"),
        ("tsql", "SELECT TOP 3 a FROM t", "SELECT TOP 3 a FROM t"),
        ("tsql", "SELECT a FROM t ORDER BY a OFFSET 5 ROWS", "SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH FIRST 10 ROWS ONLY"),
        ("tsql", "(SELECT a FROM t)", "SELECT TOP 10 a FROM t"),
    ],
)  # fmt: skip
def test_rows_are_capped_as_the_dialect_says_it(dialect: Dialect, sql: str, capped: str) -> None:
    assert Gate(dialect, max_rows=10).check(sql).sql == capped


# Dialects


def test_a_query_is_written_in_another_dialect() -> None:
    gate = Gate("oracle", max_rows=5, to="tsql")

    assert gate.check("SELECT NVL(a, 'x') AS b FROM t WHERE d > SYSDATE").sql == (
        "SELECT TOP 5 COALESCE(a, 'x') AS b FROM t WHERE d > GETDATE()"
    )


def test_what_cannot_be_said_in_the_other_dialect_is_refused() -> None:
    assert problems("SELECT TO_CHAR(d, 'HH24:MI') FROM t", Gate("oracle", to="sqlite"))[0].code == Code.NOT_TRANSPILED


def test_a_query_behind_from_is_given_the_alias_that_the_other_dialect_wants() -> None:
    sql = "SELECT MAX(n) FROM (SELECT a AS n FROM (SELECT a FROM t) AS derived_1) JOIN (SELECT 1 AS one) ON TRUE WHERE n IN (SELECT 2)"

    assert Gate("sqlite").check(sql).sql == sql
    assert Gate("sqlite", to="postgres").check(sql).sql == (
        "SELECT MAX(n) FROM (SELECT a AS n FROM (SELECT a FROM t) AS derived_1) AS derived_2 "
        "JOIN (SELECT 1 AS one) AS derived_3 ON TRUE WHERE n IN (SELECT 2)"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_transpiled_is_checked_as_the_other_dialect_too(dialect: Dialect) -> None:
    assert problems("SELECT a FROM dba_users", Gate("sqlite", to="oracle"))[0].code == Code.TABLE


def test_a_gate_that_makes_no_sense_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="snowflake"):
        Gate("snowflake")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_rows is 0"):
        Gate("postgres", max_rows=0)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        pytest.param("orders", "tables is 'orders', and must be a list of names", id="text"),
        pytest.param(iter(["orders"]), "tables is <list_iterator .*>, and must be a list of names", id="read-once"),
        pytest.param(["orders", 5], "no table is called 5; write `orders` or `sales.orders`, without quotes", id="number"),
        pytest.param([""], "no table is called ''; .*", id="nothing"),
        pytest.param([" "], "no table is called ' '; .*", id="space"),
        pytest.param(["x;y"], "no table is called 'x;y'; .*", id="semicolon"),
        pytest.param(["orders,customers"], "no table is called 'orders,customers'; .*", id="two-in-one"),
        pytest.param(["public."], "no table is called 'public.'; .*", id="schema-alone"),
        pytest.param(["a..b"], r"no table is called 'a\.\.b'; .*", id="no-schema"),
        pytest.param(['"orders"'], "no table is called '\"orders\"'; .*", id="quotes"),
        pytest.param(["orders\n"], r"no table is called 'orders\\n'; .*", id="line-feed"),
        pytest.param(["custmers"], "the schema has no table `custmers`; did you mean `customers`\\?", id="misspelt"),
        pytest.param(["sales.orders"], "the schema has no table `sales.orders`.*", id="other-schema"),
        pytest.param(["orders", "nosuch"], "the schema has no table `nosuch`", id="unknown"),
    ],
)  # fmt: skip
def test_a_list_of_tables_that_makes_no_sense_is_a_programming_error(tables: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Gate("postgres", schema=SHOP, tables=tables)


@pytest.mark.parametrize("name", ["Order Details", "zamówienia", "2024_sales", "sales.q-1", "v$x", "#t"])
def test_what_quotes_allow_may_be_listed(name: str) -> None:
    assert Gate("sqlite", tables=[name]).check(f'SELECT 1 FROM "{name.replace(".", chr(34) + "." + chr(34))}"')


def test_a_table_that_the_schema_has_elsewhere_may_be_listed_by_its_bare_name() -> None:
    gate = Gate("oracle", schema=Schema({"SALES.ORDERS": ["ID"]}, "oracle"), tables=["orders", "dual"])

    assert gate.check("SELECT id FROM orders")


# Bounds


@pytest.mark.parametrize("sign", ["OR", "AND", "||", "+"])
def test_a_chain_may_have_190_parts_and_not_200(sign: str) -> None:
    def chain(parts: int) -> str:
        return "SELECT " + f" {sign} ".join(["a"] * parts) + " FROM t"

    assert Gate("postgres").check(chain(190))
    assert problems(chain(200), Gate("postgres"))[0].code == Code.TOO_DEEP


def test_as_many_queries_may_be_joined_by_union() -> None:
    assert Gate("postgres").check(" UNION ".join(["SELECT 1"] * 190))
    assert problems(" UNION ".join(["SELECT 1"] * 200), Gate("postgres"))[0].code == Code.TOO_DEEP


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT " + "(" * 5000 + "1" + ")" * 5000, id="parentheses"),
        pytest.param("SELECT " + "NOT " * 3000 + "1", id="not"),
        pytest.param("SELECT " + "- " * 3000 + "1", id="minus"),
        pytest.param("SELECT " + "1+" * 2500 + "1", id="plus"),
        pytest.param("SELECT a FROM t WHERE " + "a OR " * 2500 + "a", id="or"),
        pytest.param("SELECT " + "CASE WHEN 1=1 THEN " * 700 + "1" + " END" * 700, id="case"),
        pytest.param("SELECT * FROM " + "(SELECT * FROM " * 500 + "t" + ")" * 500, id="subqueries"),
        pytest.param("SELECT 1" + " UNION SELECT 1" * 1200, id="union"),
        pytest.param("SELECT " + "a." * 2000 + "b", id="dots"),
        pytest.param("SELECT x" + "::int" * 1500, id="casts"),
        pytest.param("SELECT " + "[" * 3000, id="brackets"),
        pytest.param("SELECT * FROM t " + "JOIN t " * 900 + "ON 1=1 " * 900, id="joins"),
        pytest.param("SELECT " + "EXISTS " * 900 + "(SELECT 1)", id="exists"),
        pytest.param("SELECT " + "x -> " * 900 + "x", id="arrows"),
        pytest.param("SELECT '" + "x" * 300_000 + "'", id="long"),
        pytest.param("/*" * 9000, id="comments"),
        pytest.param("SELECT " + "'" * 9001, id="quotes"),
        pytest.param("SELECT $a$" + "$b$" * 4001, id="dollars"),
        pytest.param("<think>" * 9000, id="reasoning"),
        pytest.param("```sql\n" * 5000, id="fences"),
        pytest.param("WITH a(" * 4000, id="with"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_lengths_and_depths_are_typed_refusals(dialect: Dialect, sql: str) -> None:
    codes = {
        Code.TOO_LONG,
        Code.TOO_DEEP,
        Code.SYNTAX,
        Code.NO_SQL,
        Code.BAD_CHARACTER,
        Code.PLACEHOLDER,
        Code.NOT_ALLOWED,
    }

    assert {it.code for it in problems(sql, Gate(dialect))} <= codes


def test_a_caller_deep_in_its_own_stack_gets_a_typed_refusal() -> None:
    sql = "SELECT " + "(" * 50 + "1" + ")" * 50

    def deep(left: int) -> str:
        if left:
            return deep(left - 1)
        try:
            return Gate("postgres").check(sql).sql
        except SqlRefused as refused:
            return refused.problems[0].code.value

    assert deep(sys.getrecursionlimit() - 250) in (Code.TOO_DEEP.value, sql)
