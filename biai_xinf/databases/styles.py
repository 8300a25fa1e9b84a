"""A schema as models were trained to read it: one text for a prompt, in each of the styles that specs name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from biai_xinf.databases.schema import Column, Reference, Schema, Table
from biai_xinf.specs import SchemaStyle

# Example values of one table, by its columns' names.
Examples = Mapping[str, Sequence[object]]
# A table, and how many examples of each column are wanted.
TakeExamples = Callable[[Table, int], Examples]


def written(schema: Schema, style: SchemaStyle, examples: TakeExamples) -> str:
    """All tables and views; `examples` is asked for values of those columns that the style shows some of."""
    return _WRITERS[style](schema, examples)


def _as_ddl(schema: Schema, examples: TakeExamples) -> str:
    return "\n".join(f"{table.created};" if table.created else _create(table) for table in schema.tables)


def _create(table: Table) -> str:
    """A CREATE statement as a person would write it: keys of one column beside it, comments at the end of the line."""
    single = {it.columns[0]: it for it in table.references if len(it.columns) == 1}
    keys = [column.written for column in table.columns if column.key]
    parts = [(_definition(column, keys, single.get(column.written)), column.comment) for column in table.columns]
    if len(keys) > 1:
        parts.append((f"PRIMARY KEY ({', '.join(keys)})", None))
    parts += [
        (f"FOREIGN KEY ({', '.join(it.columns)}) {_target(it)}", None) for it in table.references if len(it.columns) > 1
    ]
    lines = [
        f"  {text}{'' if number == len(parts) else ','}{_note(comment)}"
        for number, (text, comment) in enumerate(parts, start=1)
    ]
    told = f"-- {_line(table.comment)}\n" if table.comment else ""
    return f"{told}CREATE TABLE {table.written} (\n" + "\n".join(lines) + "\n);"


def _definition(column: Column, keys: Sequence[str], reference: Reference | None) -> str:
    words = [column.written, column.type]
    if keys == [column.written]:
        words.append("PRIMARY KEY")
    elif column.required:
        words.append("NOT NULL")
    if reference is not None:
        words.append(_target(reference))
    return " ".join(words)


def _target(reference: Reference) -> str:
    return f"REFERENCES {reference.table}({', '.join(reference.others)})"


def _as_ddl_with_examples(schema: Schema, examples: TakeExamples) -> str:
    """As the prompts of OmniSQL's repository (its `examples/`) show it to the models trained on SynSQL."""
    return "\n\n".join(_table_with_examples(table, examples(table, 2)) for table in schema.tables)


def _table_with_examples(table: Table, examples: Examples) -> str:
    keys = [column.written for column in table.columns if column.key]
    rules = [f"    PRIMARY KEY ({', '.join(keys)})"] if keys else []
    rules += [
        f"    FOREIGN KEY ({', '.join(it.columns)}) REFERENCES {it.table} ({', '.join(it.others)})"
        for it in table.references
    ]
    lines = []
    for column in table.columns:
        comma = "" if column is table.columns[-1] and not rules else ","
        values = ", ".join(map(_literal, examples.get(column.name, ())))
        told = [*([_line(column.comment)] if column.comment else []), *([f"example: [{values}]"] if values else [])]
        lines.append(f"    {column.written} {column.type.lower()}{comma}{_note(', '.join(told))}")
    return f"CREATE TABLE {table.written} (\n" + "\n".join([*lines, *([",\n".join(rules)] if rules else [])]) + "\n);"


def _as_m_schema(schema: Schema, examples: TakeExamples) -> str:
    """As the repository XGenerationLab/M-Schema writes it."""
    lines = ["【DB_ID】 " + schema.database, "【Schema】"]
    for table in schema.tables:
        values = examples(table, 3)
        columns = ",\n".join(_m_schema_column(column, values.get(column.name, ())) for column in table.columns)
        told = f", {_line(table.comment)}" if table.comment else ""
        lines.append(f"# Table: {table.written}{told}\n[\n{columns}\n]")
    references = [
        f"{table.written}.{column}={it.table}.{other}"
        for table in schema.tables
        for it in table.references
        for column, other in zip(it.columns, it.others, strict=True)
    ]
    return "\n".join([*lines, *(["【Foreign keys】", *references] if references else [])])


def _m_schema_column(column: Column, examples: Sequence[object]) -> str:
    comment = f", {_line(column.comment)}" if column.comment else ""
    key = ", Primary Key" if column.key else ""
    told = f", Examples: [{', '.join(map(str, examples))}]" if examples else ""
    return f"({column.written}:{column.type.upper()}{comment}{key}{told})"


_WRITERS: Mapping[SchemaStyle, Callable[[Schema, TakeExamples], str]] = {
    "ddl": _as_ddl,
    "ddl-examples": _as_ddl_with_examples,
    "m-schema": _as_m_schema,
}


def _literal(value: object) -> str:
    return str(value) if isinstance(value, (int, float, Decimal)) else repr(str(value))


def _note(text: str | None) -> str:
    return f" -- {_line(text)}" if text else ""


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
