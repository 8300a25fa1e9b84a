"""A question with what Vanna's store found for it, as its model was trained to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot.dialects import Dialect

from biai_xinf import prompting
from biai_xinf.adapters.ddl import read_ddl
from biai_xinf.databases.styles import written
from biai_xinf.specs import Prompt

# As Vanna counts.
_OF_A_TOKEN = 4
# Of what a model reads at most less is taken to fit: DDL has 4.4 characters to a token, M-Schema and Polish near 3.
_OF_A_TOKEN_AT_LEAST = 3


class Budget:
    """What still fits into a prompt: `tokens` as Vanna counts them, and what the model reads beside its answer.

    `context` and `answer` are tokens, None where nobody tells the first; `spent` is the length of the prompt without
    anything found, in characters. An answer may not take more than half of the context.
    """

    def __init__(self, tokens: int, context: int | None, answer: int, spent: int) -> None:
        self._characters = tokens * _OF_A_TOKEN
        if context is not None:
            beside = context - min(answer, context // 2)
            self._characters = min(self._characters, beside * _OF_A_TOKEN_AT_LEAST - spent)

    def of(self, texts: Sequence[str]) -> list[str]:
        """Those that fit, in their order; what is too long is left out, as Vanna does it."""
        return [text for text in texts if self._takes(text)]

    def of_examples(self, examples: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """The same of questions with their SQL."""
        return [one for one in examples if self._takes(one["question"] + one["sql"])]

    def _takes(self, text: str) -> bool:
        if len(text) > self._characters:
            return False
        self._characters -= len(text)
        return True


def by_contract(
    prompt: Prompt,
    dialect: str,
    question: str,
    tables: Sequence[str],
    texts: Sequence[str],
    examples: Sequence[Mapping[str, str]],
) -> list[dict[str, str]]:
    """What was found goes where the contract has a place for it: hints behind the schema where it has none.

    `dialect` is Vanna's word for it, `tables` are DDL. Examples are earlier turns where a turn is a bare question, else
    they are hints too.
    """
    read_as = _dialect(dialect)
    schema, hints = _schema(prompt, read_as, tables), list(texts)
    turns: list[dict[str, str]] = []
    for one in examples:
        if prompt.user.strip() == "{question}":
            turns.append({"role": "user", "content": one["question"]})
            turns.append({"role": "assistant", "content": one["sql"]})
        else:
            hints.append(f"{one['question']}\n{one['sql']}")
    evidence = "\n\n".join(hints)
    if "{evidence}" not in prompt.user + (prompt.system or ""):
        schema = "\n\n".join(filter(None, (schema, evidence)))
    writes = read_as if read_as in prompting.SPELLED else dialect
    *system, user = prompting.messages(prompt, dialect=writes, schema=schema, question=question, evidence=evidence)
    return [*system, *turns, user]


def _schema(prompt: Prompt, dialect: str, tables: Sequence[str]) -> str:
    """The tables in the contract's style; those that cannot be read stand behind the others as they are."""
    if prompt.schema_as == "ddl":
        return "\n\n".join(tables)
    # Vanna's store holds no rows, so there are no values to show.
    schema, others = read_ddl(tables, dialect, "database")
    read = written(schema, prompt.schema_as, lambda table, wanted: {}) if schema.tables else ""
    return "\n\n".join(filter(None, (read, *others)))


def _dialect(told: str) -> str:
    """sqlglot's name for what Vanna calls `PostgreSQL` or `T-SQL / Microsoft SQL Server`; "" where it has none."""
    ours = {spelled.lower(): name for name, spelled in prompting.SPELLED.items()}
    first = next(iter(told.lower().split()), "")
    name = ours.get(first, first)
    return name if name and Dialect.get(name) else ""
