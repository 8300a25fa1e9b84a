"""SQL models as text: how a question is put to one, and how the SQL is found in what it answers."""

from __future__ import annotations

import re

from biai_xinf.specs import Prompt

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(
    r"```[ \t]*(?:sql|sqlite|postgresql|postgres|oracle)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE
)
_QUERY = re.compile(r"\b(?:SELECT|WITH)\b.*", re.DOTALL | re.IGNORECASE)
# Literals, quoted names and comments are passed over whole: a `;` inside them ends nothing.
_STATEMENT = re.compile(r"(?:'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|[^;])*", re.DOTALL)


def messages(prompt: Prompt, *, dialect: str, schema: str, question: str) -> list[dict[str, str]]:
    """The chat messages that put `question` to a SQL model, by its spec's prompt contract."""

    def fill(template: str) -> str:
        # One pass, so that braces in a schema or a question stay what they are.
        values = {"{dialect}": dialect, "{schema}": schema, "{question}": question}
        return re.sub(r"\{(?:dialect|schema|question)\}", lambda slot: values[slot[0]], template)

    system = [] if prompt.system is None else [{"role": "system", "content": fill(prompt.system)}]
    return [*system, {"role": "user", "content": fill(prompt.user)}]


def extract_sql(answer: str) -> str | None:
    """The one statement a model meant: from its last code fence, else from the first SELECT or WITH on.

    Reasoning in `<think>` is left out; the statement ends before its first `;`. None where there is no query.
    """
    said = _THINKING.sub("", answer)
    fences: list[str] = _FENCE.findall(said)
    query = next((found for text in [*reversed(fences), said] if (found := _QUERY.search(text))), None)
    statement = _STATEMENT.match(query[0]) if query else None
    return statement[0].strip() or None if statement else None
