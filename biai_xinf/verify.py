"""Ready means right: ask a model what its spec's probe asks, and judge the answers, not the status codes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from biai_xinf import prompting
from biai_xinf.client import Client
from biai_xinf.databases import Database, demo_shop, same_rows
from biai_xinf.databases.examples import examples
from biai_xinf.databases.styles import written
from biai_xinf.errors import QuestionFailed, Rejected, ServerFailed, WrongAnswers
from biai_xinf.specs import CanaryQuestion, ChatSpec, EmbeddingProbe, ModelSpec, RerankProbe, SqlSpec
from biai_xinf.vectors import cosine


@dataclass(frozen=True)
class Check:
    """One thing a probe asked; `problem` says what was wrong with the answer, None that it was right."""

    asked: str
    problem: str | None


def verify(client: Client, uid: str, spec: ModelSpec) -> tuple[Check, ...]:
    """All checks of the spec's probe, passed; WrongAnswers names the ones that failed."""
    checks = probe(client, uid, spec)
    failed = [check for check in checks if check.problem is not None]
    if failed:
        raise WrongAnswers(
            f"`{uid}` answers, but {len(failed)} of {len(checks)} checks of its probe came out wrong",
            details=[f"{check.asked}: {check.problem}" for check in failed],
        )
    return checks


def probe(client: Client, uid: str, spec: ModelSpec) -> tuple[Check, ...]:
    """All checks of the spec's probe, passed or not."""
    if isinstance(spec, SqlSpec):
        return _answers_questions(client, uid, spec)
    if isinstance(spec, ChatSpec):
        return (_check(spec.probe.message, partial(_wrong_words, client, uid, spec)),)
    if isinstance(spec.probe, EmbeddingProbe):
        return (_check("similarity", partial(_wrong_vectors, client, uid, spec.probe)),)
    return (_check(spec.probe.query, partial(_wrong_order, client, uid, spec.probe)),)


def _check(asked: str, problem: Callable[[], str | None]) -> Check:
    try:
        return Check(asked, problem())
    except (ServerFailed, Rejected) as error:
        return Check(asked, f"no answer: {error.message}")


def _answers_questions(client: Client, uid: str, spec: SqlSpec) -> tuple[Check, ...]:
    with closing(demo_shop()) as database:
        schema = written(database.schema(), spec.prompt.schema_as, partial(examples, database))
        return tuple(
            _check(canary.question, partial(_wrong_sql, client, uid, spec, database, schema, canary))
            for canary in spec.probe.questions
        )


def _wrong_sql(
    client: Client, uid: str, spec: SqlSpec, database: Database, schema: str, canary: CanaryQuestion
) -> str | None:
    asked = prompting.messages(spec.prompt, dialect=database.dialect, schema=schema, question=canary.question)
    answer = client.chat(uid, asked, **{"temperature": 0, **spec.defaults}).text
    sql = prompting.extract_sql(answer, spec.prompt.answer)
    if sql is None:
        return f"no SQL in `{_shortened(answer)}`"
    try:
        found = database.query(sql)
    except QuestionFailed as error:
        return f"{error.message}: `{_shortened(sql)}`"
    if not same_rows(found.rows, database.query(canary.sql).rows):
        return f"wrong rows from `{_shortened(sql)}`"
    return None


def _wrong_words(client: Client, uid: str, spec: ChatSpec) -> str | None:
    message = [{"role": "user", "content": spec.probe.message}]
    answer = client.chat(uid, message, **{**spec.defaults, "temperature": 0}).text
    if any(expected.lower() in answer.lower() for expected in spec.probe.expect):
        return None
    expected = " or ".join(f"`{text}`" for text in spec.probe.expect)
    return f"expected {expected}, found `{_shortened(answer)}`"


def _wrong_vectors(client: Client, uid: str, wanted: EmbeddingProbe) -> str | None:
    texts = list(dict.fromkeys([*wanted.similar, *wanted.different]))
    vectors = dict(zip(texts, client.embed(uid, texts), strict=True))
    dimensions = sorted({len(vector) for vector in vectors.values()})
    if dimensions != [wanted.dimensions]:
        return f"expected {wanted.dimensions} dimensions, found {', '.join(map(str, dimensions))}"
    near = cosine(*(vectors[text] for text in wanted.similar))
    far = cosine(*(vectors[text] for text in wanted.different))
    if near - far >= wanted.margin:
        return None
    return f"similar texts are at {near:.2f}, different ones at {far:.2f}, and must be {wanted.margin:g} apart"


def _wrong_order(client: Client, uid: str, wanted: RerankProbe) -> str | None:
    scores = dict(client.rerank(uid, wanted.query, wanted.documents))
    if len(scores) == len(wanted.documents) and all(scores[0] > scores[other] for other in scores if other):
        return None
    found = ", ".join(f"{scores[index]:.3g}" for index in sorted(scores)) or "none"
    return f"the first document must score highest, the scores are {found}"


def _shortened(text: str, length: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
