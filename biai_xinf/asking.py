"""Ask a database a question: schema -> prompt -> model -> gate -> database, and back to the model where one objects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from biai_xinf import observe, prompting
from biai_xinf.adapters.sqlgate import Code, Gate, Problem, SqlRefused, repair
from biai_xinf.adapters.sqlgate import Schema as GateSchema
from biai_xinf.catalogue import Entry
from biai_xinf.client import Client
from biai_xinf.databases import Database, Rows, Schema
from biai_xinf.databases.examples import examples
from biai_xinf.databases.styles import TakeExamples, written
from biai_xinf.errors import NotFound, QueryRejected, QuestionFailed, Rejected, ServerFailed
from biai_xinf.resolve import recipe_running
from biai_xinf.specs import Dialect, SqlSpec
from biai_xinf.state import DesiredModel, ObservedModel

# Mistral's tokenizer `tekken_240911` makes a token of 4.4 characters of the demo shop's DDL, of 3.2 with examples and
# of 2.8 as M-Schema. Better to ask a model in vain than to refuse what it could have read.
_CHARACTERS_PER_TOKEN = 4.4


@dataclass(frozen=True)
class Question:
    """What is asked, of which tables (all, where none is named), and how much the database may do for it.

    With `explain` the query is not run: its rows are the database's plan for it.
    """

    text: str
    tables: Sequence[str] = ()
    limit: int = 100
    seconds: float = 10
    explain: bool = False


@dataclass(frozen=True)
class Answer:
    """SQL that passed the gate, its rows, and the seconds that model and database took.

    `written_in` is the dialect of the model, where the SQL was translated; `mended` tells, for each earlier try, why it
    was refused.
    """

    sql: str
    rows: Rows
    written_in: Dialect | None
    mended: tuple[str, ...]
    unreadable: tuple[str, ...]
    model_s: float
    database_s: float


def ask(client: Client, uid: str, entry: Entry, database: Database, question: Question) -> Answer:
    """The answer to one question.

    SqlRefused with every reason where no SQL passed after two repairs; QuestionFailed where it took too long, or there
    is nothing to ask.
    """
    spec = _sql_spec(entry)
    schema = _readable(database.schema().only(question.tables))
    running = observe.ready_model(client, uid)
    dialect = _dialect(uid, entry, spec, running, database)
    prompt = partial(_prompt, spec, dialect, schema, question)
    # Examples are read only where the tables fit without them.
    _must_fit(prompt(lambda table, wanted: {}), schema, uid, running)
    messages = prompt(partial(examples, database))
    _must_fit(messages, schema, uid, running)
    model = _Model(client, uid, spec, messages)
    judge = _Judge(_gates(spec, dialect, database, schema), database, question)
    try:
        sql, rows = repair(judge, model.answer(), model.answer_again)
    except SqlRefused as error:
        error.details += [f"an earlier try: {reason}" for reason in judge.refused[:-1]]
        raise
    return Answer(
        sql,
        rows,
        written_in=dialect if dialect != database.dialect else None,
        mended=tuple(judge.refused),
        unreadable=schema.unreadable,
        model_s=model.seconds,
        database_s=judge.seconds,
    )


def _sql_spec(entry: Entry) -> SqlSpec:
    if not isinstance(entry.spec, SqlSpec):
        raise QuestionFailed(f"`{entry.spec.name}` is for {entry.spec.role}, questions need a model for sql")
    return entry.spec


def _readable(schema: Schema) -> Schema:
    if not schema.tables:
        hidden = f": its user may not read {_named(schema.unreadable)}" if schema.unreadable else ""
        raise QuestionFailed(f"`{schema.database}` has no table that can be read{hidden}")
    return schema


def _named(tables: Sequence[str], most: int = 3) -> str:
    more = f" and {len(tables) - most} more" if len(tables) > most else ""
    return ", ".join(f"`{name}`" for name in tables[:most]) + more


def _dialect(uid: str, entry: Entry, spec: SqlSpec, running: ObservedModel | None, database: Database) -> Dialect:
    """The database's own, where the recipe that runs writes it."""
    recipe = recipe_running(DesiredModel(uid, entry), running) if running else None
    writes = recipe.dialects if recipe and recipe.dialects else spec.prompt.dialects
    return database.dialect if database.dialect in writes else writes[0]


def _prompt(
    spec: SqlSpec, dialect: Dialect, schema: Schema, question: Question, take_examples: TakeExamples
) -> list[dict[str, str]]:
    text = written(schema, spec.prompt.schema_as, take_examples)
    return prompting.messages(spec.prompt, dialect=dialect, schema=text, question=question.text)


def _must_fit(messages: Sequence[dict[str, str]], schema: Schema, uid: str, running: ObservedModel | None) -> None:
    reads = running.context if running else None
    tokens = _tokens(messages)
    if reads is not None and tokens >= reads:
        count = len(schema.tables)
        raise QuestionFailed(
            f"{count} table{'s take' if count > 1 else ' takes'} about {tokens:,} tokens of a prompt, "
            f"and `{uid}` reads {reads:,} with its answer",
            hint=f"name those that the question is about: --table {schema.tables[0].written}",
        )


def _tokens(messages: Sequence[Mapping[str, str]]) -> int:
    return round(sum(len(message["content"]) for message in messages) / _CHARACTERS_PER_TOKEN)


def _gates(spec: SqlSpec, dialect: Dialect, database: Database, schema: Schema) -> tuple[Gate, ...]:
    """What the model writes is judged in its dialect; what becomes of it in the database's, again by the schema."""

    def tables(dialect: Dialect) -> GateSchema:
        # Of two tables of one name the gate takes the last for what a bare name means; the database the first.
        return GateSchema(dict(reversed([*schema.columns.items()])), dialect)

    form = spec.prompt.answer
    if dialect == database.dialect:
        return (Gate(dialect, tables(dialect), form=form),)
    return (
        Gate(dialect, tables(dialect), to=database.dialect, form=form),
        Gate(database.dialect, tables(database.dialect)),
    )


class _Model:
    """The talk with the model, and the seconds that it took to answer."""

    def __init__(self, client: Client, uid: str, spec: SqlSpec, messages: list[dict[str, str]]) -> None:
        self._client, self._uid, self._spec = client, uid, spec
        self._messages = messages
        self.seconds = 0.0

    def answer(self) -> str:
        """What it says to all that was said so far."""
        begun = time.monotonic()
        try:
            said = self._client.chat(self._uid, self._messages, **{"temperature": 0, **self._spec.defaults}).text
        except NotFound as error:
            hint = f"biai-xinf launch {self._spec.name}"
            raise QuestionFailed(f"no model runs as `{self._uid}`", hint=hint) from error
        except (Rejected, ServerFailed) as error:
            # Of a context that is too short a stock Xinference says only that it failed.
            hint = f"its prompt has about {_tokens(self._messages):,} tokens; `--table NAME` makes it shorter"
            raise QuestionFailed(f"`{self._uid}` did not answer: {error.message}", hint=hint) from error
        self.seconds += time.monotonic() - begun
        self._messages.append({"role": "assistant", "content": said})
        return said

    def answer_again(self, feedback: str) -> str:
        """What it says once it is told what is wrong."""
        self._messages.append({"role": "user", "content": feedback})
        return self.answer()


@dataclass
class _Judge:
    """The gates and then the database: SQL is right once the database has run it."""

    gates: tuple[Gate, ...]
    database: Database
    question: Question
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def dialect(self) -> Dialect:
        """What the model writes."""
        return self.gates[0].dialect

    def check(self, answer: str) -> tuple[str, Rows]:
        """The SQL of an answer and its rows; SqlRefused where a gate, or the database, does not take it."""
        try:
            sql = answer
            for gate in self.gates:
                sql = gate.check(sql).sql
            return sql, self._run(sql)
        except SqlRefused as error:
            self.refused.append("; ".join(map(str, error.problems)))
            # Where there is no SQL, what was said instead is what a person wants to see.
            raise SqlRefused(error.problems, error.sql or answer) from error

    def _run(self, sql: str) -> Rows:
        begun = time.monotonic()
        try:
            if self.question.explain:
                return self.database.explain(sql, seconds=self.question.seconds)
            return self.database.query(sql, limit=self.question.limit, seconds=self.question.seconds)
        except QueryRejected as error:
            raise SqlRefused([Problem(Code.DATABASE, f"the database says: {error.reason}")], sql) from error
        finally:
            self.seconds = time.monotonic() - begun
