"""SQL models as text: how a question is put to one, and how the SQL is found in what it answers."""

from __future__ import annotations

import re

from biai_xinf.specs import AnswerForm, Prompt

# Dialects as the models' own documents spell them; the rest are spelled as we do.
_SPELLED = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "oracle": "Oracle",
    "duckdb": "DuckDB",
    "mysql": "MySQL",
    "tsql": "T-SQL",
}
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(
    r"```[ \t]*(?:sql|sqlite|postgresql|postgres|oracle|mysql)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE
)
_QUERY = re.compile(r"\b(?:SELECT|WITH)\b.*", re.DOTALL | re.IGNORECASE)
_BEGINS_WITH_QUERY = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
# What a model closes that its prompt, or the start of its answer, had opened for it.
_CLOSED = re.compile(r"```|</answer>|\[/SQL\]", re.IGNORECASE)
# Literals, quoted names and comments are passed over whole: a `;` inside them ends nothing.
_STATEMENT = re.compile(r"(?:'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|[^;])*", re.DOTALL)


def messages(
    prompt: Prompt, *, dialect: str, schema: str, question: str, evidence: str | None = None
) -> list[dict[str, str]]:
    """The chat messages that put `question` to a SQL model, by its spec's prompt contract.

    `schema` is written in the prompt's `schema_as`; `evidence` reaches only models whose prompt has a place for it.
    """

    def fill(template: str) -> str:
        # One pass, so that braces in a schema or a question stay what they are.
        values = {
            "{dialect}": _SPELLED.get(dialect, dialect),
            "{schema}": schema,
            "{question}": question,
            "{evidence}": evidence or "",
        }
        return re.sub(r"\{(?:dialect|schema|question|evidence)\}", lambda slot: values[slot[0]], template)

    system = [] if prompt.system is None else [{"role": "system", "content": fill(prompt.system)}]
    return [*system, {"role": "user", "content": fill(prompt.user)}]


def extract_sql(answer: str, form: AnswerForm = "anywhere") -> str | None:
    """The one statement a model meant, which ends before its first `;`. None where there is no query.

    Reasoning in `<think>` is left out, though only its end is in the answer. Of several code blocks the last with a
    query counts; `anywhere` takes the first SELECT or WITH where there is none.
    """
    if form == "after-thinking" and "</think>" not in answer:
        # Cut off while it reasoned: a query in there is a draft.
        return None
    said = _THINKING.sub("", answer.rpartition("</think>")[2])
    query = next((found for text in _candidates(said, form) if (found := _QUERY.search(text))), None)
    statement = _STATEMENT.match(query[0]) if query else None
    return statement[0].strip() or None if statement else None


def _candidates(said: str, form: AnswerForm) -> list[str]:
    unfenced = _CLOSED.split(said, maxsplit=1)[0]
    if form == "anywhere" and _BEGINS_WITH_QUERY.match(said):
        return [unfenced]
    blocks: list[str] = [*reversed(_FENCE.findall(said))]
    return [*blocks, unfenced, said] if form == "anywhere" else blocks
