"""The mixin for Vanna 0.7 and for the legacy part of Vanna 2: with whichever Vanna is installed here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("vanna")
pytest.importorskip("uvicorn")

from biai_xinf.adapters.sqlgate import Gate, Schema, SqlRefused  # noqa: E402
from biai_xinf.adapters.vanna import XinferenceChat  # noqa: E402
from biai_xinf.client import Client  # noqa: E402
from biai_xinf.errors import MissingExtra, NotFound, QuestionFailed  # noqa: E402
from biai_xinf.upstreams import ServedModel  # noqa: E402
from tests.fake_xinference import FakeXinference, refused  # noqa: E402
from tests.ollama_stand_in import SAYS, StandIn, served  # noqa: E402
from tests.unit.test_transport import closed_port  # noqa: E402

DDL = "CREATE TABLE customers (customer_id INTEGER, name TEXT)"


class Remembers:
    """A vector store that finds everything it was told; it goes where `ChromaDB_VectorStore` goes."""

    def __init__(self, config: Any = None) -> None:
        self.ddl: list[str] = []
        self.texts: list[str] = []
        self.pairs: list[dict[str, str]] = []

    def generate_embedding(self, data: str, **kwargs: Any) -> list[float]:
        return [0.0]

    def get_similar_question_sql(self, question: str, **kwargs: Any) -> list[dict[str, str]]:
        return self.pairs

    def get_related_ddl(self, question: str, **kwargs: Any) -> list[str]:
        return self.ddl

    def get_related_documentation(self, question: str, **kwargs: Any) -> list[str]:
        return self.texts

    def add_question_sql(self, question: str, sql: str, **kwargs: Any) -> str:
        self.pairs.append({"question": question, "sql": sql})
        return "1-sql"

    def add_ddl(self, ddl: str, **kwargs: Any) -> str:
        self.ddl.append(ddl)
        return "1-ddl"

    def add_documentation(self, documentation: str, **kwargs: Any) -> str:
        self.texts.append(documentation)
        return "1-doc"

    def get_training_data(self, **kwargs: Any) -> Any:
        raise NotImplementedError

    def remove_training_data(self, id: str, **kwargs: Any) -> bool:
        raise NotImplementedError


class MyVanna(Remembers, XinferenceChat):
    def __init__(self, config: Any = None) -> None:
        Remembers.__init__(self, config=config)
        XinferenceChat.__init__(self, config=config)


@contextmanager
def asking(stand_in: StandIn, **config: Any) -> Iterator[MyVanna]:
    """A Vanna that asks the stand-in, and knows one table."""
    with served(stand_in) as url:
        vn = MyVanna({"model": "sql-coder", "endpoint": url, "max_retries": 0, **config})
        vn.train(ddl=DDL)
        yield vn


def says(text: str) -> StandIn:
    return StandIn(message={"content": text})


def body(stand_in: StandIn) -> dict[str, Any]:
    """What the model was asked last."""
    return [body for path, body in stand_in.asked if path == "/v1/chat/completions"][-1]


# The query of an answer

QUERY = "SELECT name FROM customers"
ANSWERS = {
    "alone": (QUERY, QUERY),
    "semicolon": (f"{QUERY};", QUERY),
    "semicolon in a string": ("SELECT ';' AS s FROM customers;", "SELECT ';' AS s FROM customers"),
    "fence": (f"Sure:\n```sql\n{QUERY};\n```\nIt lists names.", QUERY),
    "fence without a language": (f"```\n{QUERY}\n```", QUERY),
    "the last of two fences": (f"Not\n```sql\nSELECT 1\n```\nbut\n```sql\n{QUERY}\n```", QUERY),
    "reasoning": (f"<think>First SELECT id FROM orders; or so?</think>\n{QUERY};", QUERY),
    "reasoning, then a fence": (f"<think>SELECT 1;</think> So:\n```sql\n{QUERY}\n```", QUERY),
    "only the end of the reasoning": (f"we select from orders;</think>```sql\n{QUERY}\n```", QUERY),
    "prose with the words": (f"We can select from orders with a filter. {QUERY};", QUERY),
    "line comment": ("-- all of them\nSELECT name -- the name\nFROM customers", "SELECT name\nFROM customers"),
    "block comment": ("SELECT /* all */ name FROM customers /* end */;", "SELECT name FROM customers"),
    "comment in a string": ("SELECT '-- /* no */' FROM customers", "SELECT '-- /* no */' FROM customers"),
    "array": ("SELECT (ARRAY_AGG(name))[1] FROM customers;", "SELECT (ARRAY_AGG(name))[1] FROM customers"),
    "backslash": (r"SELECT name FROM customers WHERE name ~ '\d+';", r"SELECT name FROM customers WHERE name ~ '\d+'"),
    "escaped underscore in a fence": (
        "```sql\nSELECT customer_id FROM customers\n```",
        "SELECT customer_id FROM customers",
    ),
    "time format": ("SELECT TO_CHAR(d, 'HH24:MI:SS') FROM t;", "SELECT TO_CHAR(d, 'HH24:MI:SS') FROM t"),
    "with": ("WITH a AS (SELECT 1 AS x) SELECT x FROM a;", "WITH a AS (SELECT 1 AS x) SELECT x FROM a"),
    "explained behind": (f"{QUERY};\n\n**Explanation**: it lists names; nothing else.", QUERY),
}


@pytest.mark.parametrize(("answer", "sql"), ANSWERS.values(), ids=ANSWERS)
def test_the_query_of_an_answer_reaches_whoever_asked(answer: str, sql: str) -> None:
    with asking(says(answer)) as vn:
        assert vn.generate_sql("Who are our customers?") == sql
        assert vn.is_sql_valid(sql)


REFUSALS = [
    "I cannot answer that: there is no table of suppliers.",
    "The context is insufficient. Please select a table with suppliers; then ask again.",
    "With the tables at hand, suppliers cannot be found; a table is missing.",
    "Select another database, please: this one has no suppliers.",
    "No.\nSelect one from the list of tables, or select from orders.",
]


@pytest.mark.parametrize("words", REFUSALS)
@pytest.mark.parametrize("before", ["", "<think>SELECT 1; perhaps?</think>\n"], ids=["", "after reasoning"])
def test_words_stay_words_and_are_no_valid_sql(words: str, before: str) -> None:
    with asking(says(before + words)) as vn:
        said = vn.generate_sql("Who are our suppliers?")

        assert said == words
        assert not vn.is_sql_valid(said)


@pytest.mark.parametrize("statement", ["DELETE FROM customers", "```sql\nDROP TABLE customers;\n```"])
def test_a_statement_that_is_no_query_is_not_handed_on(statement: str) -> None:
    with asking(says(statement)) as vn, pytest.raises(QuestionFailed, match="no query"):
        vn.generate_sql("Forget all customers")


def test_what_asks_for_a_look_at_the_data_is_left_to_vanna() -> None:
    intermediate = "-- intermediate_sql\nSELECT DISTINCT name FROM customers"
    with asking(says(intermediate), initial_prompt="You know the shop.") as vn:
        assert vn.generate_sql("Who is it?").startswith("The LLM is not allowed to see the data")
        assert vn.extract_sql(intermediate) == "SELECT DISTINCT name FROM customers"


def test_with_a_gate_the_query_leaves_as_it_passed() -> None:
    gate = Gate("postgres", schema=Schema.from_ddl(DDL, "postgres"), max_rows=10)
    with asking(says(f"{QUERY};"), gate=gate) as vn:
        assert vn.generate_sql("Who are our customers?") == f"{QUERY} LIMIT 10"


@pytest.mark.parametrize("answer", ["SELECT pg_sleep(9)", "SELECT nam FROM customers", "DELETE FROM customers", "No."])
def test_with_a_gate_nothing_else_leaves(answer: str) -> None:
    gate = Gate("postgres", schema=Schema.from_ddl(DDL, "postgres"))
    with asking(says(answer), gate=gate) as vn, pytest.raises(SqlRefused):
        vn.generate_sql("Who are our customers?")


# What the model is asked


def test_a_model_of_a_spec_is_asked_as_its_contract_says() -> None:
    stand_in = says(QUERY)
    with asking(stand_in, dialect="PostgreSQL") as vn:
        vn.train(documentation="A customer is active who bought something this year.")
        vn.train(question="How many are there?", sql="SELECT COUNT(*) FROM customers")
        vn.generate_sql("Who are our customers?")

    system, *turns = body(stand_in)["messages"]
    assert system["content"].split("\n\n") == [
        "You write PostgreSQL queries. Answer with one SELECT statement for the database below, and nothing else.",
        DDL,
        "A customer is active who bought something this year.\n",
    ]
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "How many are there?"),
        ("assistant", "SELECT COUNT(*) FROM customers"),
        ("user", "Who are our customers?"),
    ]


def test_hints_and_examples_go_where_a_contract_has_a_place_for_them() -> None:
    with FakeXinference() as fake:
        fake.run("xiyan-sql")
        asked: list[Any] = []
        fake.chat["xiyan-sql"] = lambda body: asked.append(body) or QUERY  # type: ignore[func-returns-value]
        vn = MyVanna({"model": "sql", "endpoint": fake.endpoint, "dialect": "PostgreSQL"})
        vn.train(ddl=DDL)
        vn.train(ddl="CREATE VIEW loud AS SELECT UPPER(name) AS name FROM customers")
        vn.train(documentation="Names are unique.")
        vn.train(question="How many are there?", sql="SELECT COUNT(*) FROM customers")

        assert vn.generate_sql("Who are our customers?") == QUERY

    (message,) = asked[0]["messages"]
    hints = message["content"].partition("【参考信息】\n")[2].partition("【用户问题】")[0].strip()
    assert hints == "Names are unique.\n\nHow many are there?\nSELECT COUNT(*) FROM customers"
    schema = message["content"].partition("【数据库schema】\n")[2].partition("【参考信息】")[0]
    tables, view = schema.strip().split("\n\n")
    assert tables.splitlines()[:3] == ["【DB_ID】 database", "【Schema】", "# Table: customers"]
    assert view == "CREATE VIEW loud AS SELECT UPPER(name) AS name FROM customers"


def test_what_does_not_fit_the_prompt_is_left_out() -> None:
    stand_in = says(QUERY)
    with asking(stand_in, max_tokens=50) as vn:
        vn.train(ddl=f"CREATE TABLE large ({', '.join(f'column_{n} TEXT' for n in range(50))})")
        vn.generate_sql("Who are our customers?")

    assert DDL in body(stand_in)["messages"][0]["content"]
    assert "large" not in body(stand_in)["messages"][0]["content"]


def test_what_the_model_cannot_read_beside_its_answer_is_left_out() -> None:
    with FakeXinference(extension=True) as fake:
        fake.run("xiyan-sql")
        launched = ServedModel(uid="xiyan-sql", spec="xiyan-sql", recipe="gpu", role="sql", context=1024)
        Client(fake.endpoint).put_served_model(launched)
        asked: list[Any] = []
        fake.chat["xiyan-sql"] = lambda body: asked.append(body) or QUERY  # type: ignore[func-returns-value]
        vn = MyVanna({"model": "sql", "endpoint": fake.endpoint, "dialect": "PostgreSQL", "answer_tokens": 400})
        vn.train(ddl=DDL)
        vn.train(documentation="Names are unique. " * 100)
        vn.train(documentation="Names are short.")

        vn.generate_sql("Who are our customers?")

    (message,) = asked[0]["messages"]
    assert "# Table: customers" in message["content"]
    assert "Names are short." in message["content"]
    assert "Names are unique." not in message["content"]
    assert len(message["content"]) < (1024 - 400) * 4


@pytest.mark.parametrize("way", ["initial prompt", "no spec"])
def test_vannas_own_prompt_is_kept_where_it_was_written_or_no_contract_is_known(way: str) -> None:
    stand_in = says(QUERY)
    config = {"initial_prompt": "You know the shop. "} if way == "initial prompt" else {"model": "narrator"}
    with asking(stand_in, **config) as vn:
        vn.generate_sql("Who are our customers?")

    system = body(stand_in)["messages"][0]["content"]
    assert system.startswith("You know the shop. " if way == "initial prompt" else "You are a SQL expert. ")
    assert "===Response Guidelines" in system


def test_a_text_is_as_good_a_prompt_as_messages() -> None:
    stand_in = says("A bar chart.")
    with asking(stand_in) as vn:
        assert vn.submit_prompt("Which chart?") == "A bar chart."
        assert vn.submit_prompt([vn.system_message("Be brief."), vn.user_message("Which chart?")]) == "A bar chart."

    assert body(stand_in)["messages"][1] == {"role": "user", "content": "Which chart?"}


@pytest.mark.parametrize("prompt", ["", []])
def test_an_empty_prompt_is_a_mistake(prompt: Any) -> None:
    with asking(StandIn()) as vn, pytest.raises(ValueError, match="the prompt is empty"):
        vn.submit_prompt(prompt)


def test_answers_are_greedy_and_limited_unless_the_config_says_otherwise() -> None:
    stand_in = says(QUERY)
    with asking(stand_in) as vn:
        vn.submit_prompt("?")
        usual = body(stand_in)
    with asking(stand_in, temperature=0.5, answer_tokens=50, max_tokens=3000) as vn:
        vn.submit_prompt("?")
        told = body(stand_in)

    assert (usual["temperature"], usual["max_tokens"]) == (0, 512)
    assert (told["temperature"], told["max_tokens"]) == (0.5, 50)
    assert vn.max_tokens == 3000


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"timeout": 0}, "timeout: Input should be greater than 0"),
        ({"gate": "postgres"}, "gate: Input should be a dictionary or an instance of Gate"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_in_the_config_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^Vanna's config: {message}"):
        MyVanna(config)


def test_nothing_is_printed_and_no_key_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with asking(says(QUERY), api_key="xf-secret") as vn:
        # `train` prints by itself, without asking anybody.
        capsys.readouterr()
        vn.generate_sql("Who are our customers?")
        vn.log("SELECT secret", title="Prompt")

    assert capsys.readouterr() == ("", "")
    assert "secret" not in repr(vn) + repr(vn._settings)


def test_reasoning_is_left_out_of_prose_too() -> None:
    with asking(says("<think>Hm. Two?</think>\nThere are two.")) as vn:
        assert vn.submit_prompt("How many?") == "There are two."


@pytest.mark.parametrize("content", [None, "<think>First, the"])
def test_an_answer_that_never_began_is_no_answer(content: str | None) -> None:
    with asking(StandIn(message={"content": content})) as vn, pytest.raises(QuestionFailed, match="an empty answer"):
        vn.generate_sql("Who are our customers?")


def test_an_answer_that_was_cut_off_says_what_to_do() -> None:
    with asking(says("<think>First, the"), answer_tokens=1) as vn, pytest.raises(QuestionFailed) as raised:
        vn.generate_sql("Who are our customers?")

    assert str(raised.value) == (
        "`sql-coder` was cut off at 1 tokens, before its answer began\n\nhint: `answer_tokens` in Vanna's config allows more"
    )


# Which model answers


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """An endpoint with two models, of which the first is for SQL."""
    with FakeXinference() as fake:
        fake.run("sql-coder")
        fake.run("narrator")
        fake.chat = {"sql-coder": lambda body: "SELECT 1", "narrator": lambda body: "SELECT 2"}
        yield fake


def of(fake: FakeXinference, **config: Any) -> MyVanna:
    where = {"model": "sql", "fallback_models": ["narrator"], "endpoint": fake.endpoint, "max_retries": 0}
    return MyVanna({**where, **config})


@pytest.mark.parametrize("status", [500, 503])
def test_where_a_model_fails_the_next_one_is_asked(status: int, fake: FakeXinference) -> None:
    fake.chat["sql-coder"] = lambda body: fail(status)

    assert of(fake).generate_sql("How many?") == "SELECT 2"


def test_where_a_model_takes_too_long_the_next_one_is_asked() -> None:
    with served(_OneIsSlow()) as url:
        vn = MyVanna({"model": "sql-coder", "fallback_models": ["narrator"], "endpoint": url, "timeout": 1})

        assert vn.submit_prompt("How many?") == SAYS["narrator"]


def test_where_a_model_is_gone_the_next_one_is_asked(fake: FakeXinference) -> None:
    vn = of(fake)
    assert vn.generate_sql("How many?") == "SELECT 1"
    del fake.models["sql-coder"]

    assert vn.generate_sql("How many?") == "SELECT 2"


def test_where_another_model_took_over_the_role_it_is_found(fake: FakeXinference) -> None:
    vn = of(fake, fallback_models=[])
    assert vn.generate_sql("How many?") == "SELECT 1"
    del fake.models["sql-coder"]
    fake.run("xiyan-sql")
    fake.chat["xiyan-sql"] = lambda body: "SELECT 3"

    with pytest.raises(openai.APIStatusError):
        vn.generate_sql("How many?")
    assert vn.generate_sql("How many?") == "SELECT 3"


def test_where_a_model_never_ran_the_next_one_is_asked(fake: FakeXinference) -> None:
    assert of(fake, model="omnisql").generate_sql("How many?") == "SELECT 2"


def test_a_wrong_request_is_nobody_elses(fake: FakeXinference) -> None:
    fake.chat["sql-coder"] = lambda body: fail(400)
    asked: list[Any] = []
    fake.chat["narrator"] = lambda body: asked.append(body) or ""  # type: ignore[func-returns-value]

    with pytest.raises(openai.BadRequestError):
        of(fake).generate_sql("How many?")
    assert asked == []


def test_where_all_fail_the_wanted_models_reason_is_told(fake: FakeXinference) -> None:
    fake.chat["sql-coder"] = lambda body: fail(503)
    fake.chat["narrator"] = lambda body: fail(500)

    with pytest.raises(openai.InternalServerError) as raised:
        of(fake).generate_sql("How many?")
    assert raised.value.status_code == 503


def test_where_nothing_is_served_the_error_says_what_is(fake: FakeXinference) -> None:
    with pytest.raises(NotFound, match=r"nothing serves `chat` .*it serves `sql-coder`, `narrator`"):
        of(fake, model="chat", fallback_models=["rerank"]).generate_sql("How many?")


def test_one_question_may_go_to_another_model(fake: FakeXinference) -> None:
    assert of(fake).submit_prompt("How many?", model="narrator") == "SELECT 2"


def test_nothing_is_asked_before_the_first_question() -> None:
    MyVanna({"endpoint": f"http://127.0.0.1:{closed_port()}"})


def test_without_vanna_the_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "vanna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vanna", None)
    monkeypatch.delitem(sys.modules, "biai_xinf.adapters.vanna")

    with pytest.raises(MissingExtra) as raised:
        importlib.import_module("biai_xinf.adapters.vanna")

    assert raised.value.hint == "pip install 'biai-xinf[vanna]', or 'biai-xinf[vanna2]' for Vanna 2"


def fail(status: int) -> str:
    raise refused(status, "[address=127.0.0.1:1, pid=1] it went wrong")


class _OneIsSlow:
    def __init__(self) -> None:
        self._stand_in = StandIn()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        received = await receive()
        self._stand_in.delay_s = 3 if b'"sql-coder"' in received.get("body", b"") else 0

        async def again() -> Any:
            return received

        await self._stand_in(scope, again, send)
