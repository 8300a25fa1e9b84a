"""SQL models as text: how a question is put to one, and how the SQL is found in what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from biai_xinf.specs import AnswerForm, Prompt

# Dialects as the models' own documents spell them; the rest are spelled as we do.
SPELLED = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "oracle": "Oracle",
    "duckdb": "DuckDB",
    "mysql": "MySQL",
    "tsql": "T-SQL",
}
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
# With its language, if it names one; that of a block of one line may be a word of SQL.
_FENCE = re.compile(
    r"```[ \t]*(?:(?P<language>[\w+#.-]*)[ \t]*\n|(?:sql[ \t]+)?(?=(?:SELECT|WITH)\b))(?P<block>.*?)(?:```|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_SQL_LANGUAGE = re.compile(r"|\w*sql\w*|sqlite3?|oracle|postgres|duckdb|mariadb", re.IGNORECASE)
# Where a statement begins amid other text; a sentence has its "with" and its "select from", which do not go on so.
_NAME = r"(?:\"[^\"\n]*\"|\[[^\]\n]*\]|`[^`\n]*`|[^\s(\"\[`]+)"
_BEGINNING = (
    rf"(?:SELECT\b(?!\s+FROM\b)|WITH\s+(?:RECURSIVE\s+)?{_NAME}\s*(?:\([^()]*\)\s*)?AS\b"
    r"|(?:INSERT|MERGE|REPLACE)\s+INTO\b|DELETE\s+FROM\b|UPDATE\s+\S+\s+SET\b|TRUNCATE\s+TABLE\b"
    r"|(?:CREATE|DROP|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:TEMP\w*\s+)?(?:TABLE|VIEW|INDEX|USER|ROLE|SCHEMA|DATABASE)\b"
    r"|EXPLAIN\s+(?:ANALYZE\s+)?(?:SELECT|WITH|INSERT|UPDATE|DELETE)\b)"
)
_SAID = re.compile(rf"\b{_BEGINNING}", re.IGNORECASE)
# In capitals, or on a line of its own: likelier meant to be run than words amid a sentence.
_STANDS_OUT = re.compile(rf"^[ \t]*(?i:{_BEGINNING})|\b{_BEGINNING}", re.MULTILINE)
# "Please select a table" and "Select the right one" ask a person: no table stands behind their FROM.
_NO_NAME = "(?i:the|a|an|your|our|this|these|those|each|among|it|them)"
_NO_TABLE = rf"\b(?!(?:(?!\b(?i:FROM)\b)[^;]){{0,1000}}\b(?i:FROM)\s+(?!{_NO_NAME}\b))"
_A_WORD, _A_VERB = re.compile(rf"select{_NO_TABLE}"), re.compile(rf"\s*Select{_NO_TABLE}")
_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_QUERY = re.compile(r"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)
# A text that begins so is SQL as a whole; one capital ("With", "Show") is how a sentence begins.
_SQL_VERBS = """
    SELECT WITH VALUES FROM TABLE INSERT UPDATE DELETE MERGE REPLACE CREATE DROP ALTER TRUNCATE GRANT REVOKE EXPLAIN
    DESCRIBE SHOW SET CALL EXEC EXECUTE DECLARE BEGIN DO COPY PRAGMA ATTACH DETACH VACUUM LOAD INSTALL USE PIVOT
    UNPIVOT SUMMARIZE LOCK ANALYZE REINDEX COMMENT RENAME BACKUP RESTORE SHUTDOWN KILL HANDLER PREPARE DEALLOCATE
    WHILE IF PRINT WAITFOR GO RESET FLUSH REFRESH EXPORT IMPORT FORCE PURGE CHECKPOINT BULK DBCC LISTEN NOTIFY
"""
_VERBS = _SQL_VERBS.split()
_BEGINS_AS_SQL = re.compile(rf"[\s(;]*(?![A-Z][a-z]+\b)(?i:{'|'.join(_VERBS)})\b")
_CLAUSES = """
    FROM WHERE AND OR ON USING JOIN LEFT RIGHT FULL INNER CROSS GROUP HAVING ORDER LIMIT OFFSET FETCH UNION INTERSECT
    EXCEPT MINUS WINDOW QUALIFY OPTION INTO FOR AS CASE WHEN THEN ELSE END START CONNECT
"""
_WORD = r"[^\W\d_]+"
_PLAIN = rf"(?!(?i:{'|'.join([*_VERBS, *_CLAUSES.split()])})\b){_WORD}"
# What a model explains behind its query: a heading, two words that neither begin a statement nor go on with one, or a
# word as only a sentence has it.
_PROSE = re.compile(
    rf"[ \t]*\n\s*(?:\*\*[^\W\d_]|\#+[ ]|\d+[.)][ \t]+{_WORD}|(?:[-*•][ \t]+|\()?{_PLAIN}"
    rf"(?:[,:]?[ \t]+{_PLAIN}(?=[ \t,.:])|['\u2019]{_WORD}[ \t]|[.:!][ \t]*(?:\n|\Z)))"
)
# SQL that ends so goes on, whatever comes behind an empty line.
_GOES_ON = re.compile(
    r"(?:[,(=<>+*/|-]|\b(?i:SELECT|DISTINCT|ALL|FROM|WHERE|AND|OR|NOT|ON|JOIN|BY|HAVING|AS|IN|IS|LIKE|ILIKE|BETWEEN|EXISTS"
    r"|CASE|WHEN|THEN|ELSE|WITH|UNION|INTERSECT|EXCEPT|MINUS|LIMIT|OVER|SET|INTO|VALUES))\s*\Z"
)
# What a model closes that its prompt, or the start of its answer, had opened for it.
_CLOSED = re.compile(r"```|</answer>|\[/SQL\]", re.IGNORECASE)
# Literals and quoted names, in which no sign means what it means elsewhere.
_QUOTED = (
    r"(?:\b[Ee]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`"
    r"|(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))"
)
_REMARK = r"(?:--[^\n]*|/\*.*?(?:\*/|\Z))"
# A comment, or what only looks like one, which is `kept`.
_COMMENT = re.compile(
    rf"(?P<kept>{_QUOTED})|^[ \t]*--[^\n]*(?:\n|\Z)|[ \t]*--[^\n]*|(?P<within>[ \t]*/\*.*?(?:\*/[ \t]*|\Z))",
    re.DOTALL | re.MULTILINE,
)
# Comments are passed over whole, too: a `;` inside them ends nothing.
_STATEMENT = re.compile(rf"(?:{_QUOTED}|{_REMARK}|[^;])*", re.DOTALL)
_NOT_CODE = re.compile(rf"(?P<quoted>{_QUOTED})|{_REMARK}", re.DOTALL)


def messages(
    prompt: Prompt, *, dialect: str, schema: str, question: str, evidence: str | None = None
) -> list[dict[str, str]]:
    """The chat messages that put `question` to a SQL model, by its spec's prompt contract.

    `schema` is written in the prompt's `schema_as`; `evidence` reaches only models whose prompt has a place for it.
    """

    def fill(template: str) -> str:
        # One pass, so that braces in a schema or a question stay what they are.
        values = {
            "{dialect}": SPELLED.get(dialect, dialect),
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
    query counts; `anywhere` takes a SELECT or WITH where there is none.
    """
    bare = (text[_length(_COMMENTS, text) :] for text in statements(answer, form))
    query = next((text for text in bare if _QUERY.match(text)), None)
    return query[: _length(_STATEMENT, query)].strip() or None if query else None


def statements(answer: str, form: AnswerForm = "anywhere") -> list[str]:
    """What a model may have meant to be run, likeliest first: not only queries, and not cut at a `;`.

    For who judges an answer and must see what else it would have done; what is prose behind the SQL is left out.
    """
    if form == "after-thinking" and "</think>" not in answer:
        # Cut off while it reasoned: a query in there is a draft.
        return []
    said = without_thinking(answer)
    found = (_from_its_beginning(text) for text in _candidates(said, form))
    return list(dict.fromkeys(_without_prose(text) for text in found if text is not None))


def without_thinking(answer: str) -> str:
    """What a model says once it has reasoned; nothing where it was cut off before."""
    return _THINKING.sub("", answer.rpartition("</think>")[2])


def without_comments(sql: str) -> str:
    """The same statement for readers that take no comments; lines that held nothing else go with them."""
    return _COMMENT.sub(lambda found: found["kept"] or (" " if found["within"] else ""), sql).strip()


def _candidates(said: str, form: AnswerForm) -> list[str]:
    unfenced = _CLOSED.split(said, maxsplit=1)[0]
    if form == "anywhere" and _is_sql(said):
        return [unfenced]
    blocks = [(found["language"] or "", found["block"]) for found in _FENCE.finditer(said)]
    # Other languages quote SQL as well: of theirs only what is SQL as a whole counts, and after all others.
    sql = [block for language, block in reversed(blocks) if _SQL_LANGUAGE.fullmatch(language)]
    sql += [block for language, block in reversed(blocks) if not _SQL_LANGUAGE.fullmatch(language) and _is_sql(block)]
    if form != "anywhere":
        return sql
    # A statement in a block is never looked through for a query within it.
    return [*sql, unfenced] if any(_from_its_beginning(block) for block in sql) else [unfenced, said]


def _is_sql(text: str) -> bool:
    begin = _length(_COMMENTS, text)
    return bool(_BEGINS_AS_SQL.match(text, begin) or (_SAID.match(text, begin) and not _A_VERB.match(text, begin)))


def _from_its_beginning(text: str) -> str | None:
    if _is_sql(text):
        return text
    standing_out = (found.start() for found in _STANDS_OUT.finditer(text))
    amid = (found.start() for found in _SAID.finditer(text) if not _A_WORD.match(text, found.start()))
    begin = next((begin for begin in chain(standing_out, amid) if not _A_VERB.match(text, begin)), None)
    return None if begin is None else _CLOSED.split(text[begin:], maxsplit=1)[0]


def _without_prose(text: str) -> str:
    """The text up to a `;` or an empty line behind which a model explains what it wrote."""
    end = _length(_STATEMENT, text)
    if _PROSE.match(text, end + 1):
        return text[:end]
    return text[: next((gap for gap in _ends(text[:end]) if _PROSE.match(text, gap + 1)), len(text))]


def _ends(sql: str) -> Iterator[int]:
    """Where an empty line begins behind which a query need not go on: nothing is open there, and no clause is begun."""
    code = _NOT_CODE.sub(lambda found: ("x" if found["quoted"] else " ") * len(found[0]), sql)
    depth, before, last = 0, 0, ""
    for gap in re.finditer(r"\n[ \t]*\n\s*", code):
        part = code[before : gap.start()]
        before = gap.start()
        depth += part.count("(") - part.count(")")
        last = part.rstrip() or last
        if "'" in part:
            # A literal is open to the end.
            return
        if depth <= 0 and not _GOES_ON.search(last[-20:]):
            yield gap.start()


def _length(pattern: re.Pattern[str], text: str) -> int:
    matched = pattern.match(text)
    return matched.end() if matched else 0
