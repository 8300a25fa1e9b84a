"""From text to one tree: bounded in length and depth, and one statement that is a query."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from biai_xinf.adapters.sqlgate.problems import Code, Problem, SqlRefused

MAX_CHARACTERS = 20_000
MAX_TOKENS = 6_000
# Queries that people and models write stay below 20 of each; sqlglot takes some stack frames for every one.
MAX_NESTING = 60
MAX_DEPTH = 200

_OPENS = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSES = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.EXISTS}
_QUERIES = {TokenType.SELECT, TokenType.WITH}
_PLAIN_SPACE = {"\t", "\n", "\r", " "}
# They turn the direction in which text is shown, so that a person reads another query than the one that is run.
_BIDIRECTIONAL = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def read(sql: str, dialect: str) -> exp.Query:
    """The one query that the text is; SqlRefused where it is too large, none, several, or something else."""
    _refuse_too_long(sql)
    _refuse_bad_characters(sql)
    tokens = _tokens(sql, dialect)
    _refuse_hidden_code(tokens, dialect)
    _refuse_other_than_one_query(tokens, dialect)
    _refuse_deep(tokens)
    return _tree(sql, tokens, dialect)


def refused(code: Code, message: str, token: Token | None = None, found: str | None = None) -> SqlRefused:
    """A refusal with one reason, at the place of a token."""
    if token is None:
        return SqlRefused([Problem(code, message, found=found)])
    return SqlRefused([Problem(code, message, token.line, _column(token), found if found is not None else token.text)])


def _column(token: Token) -> int:
    # sqlglot tells the column of a token's last character.
    return max(1, token.col - (token.end - token.start))


def _refuse_too_long(sql: str) -> None:
    if len(sql) > MAX_CHARACTERS:
        raise refused(Code.TOO_LONG, f"the SQL has {len(sql)} characters, {MAX_CHARACTERS} are the most")


def _refuse_bad_characters(sql: str) -> None:
    if sql.isascii() and sql.isprintable():
        return
    for at, character in enumerate(sql):
        if character in _PLAIN_SPACE or " " < character < "\x7f":
            continue
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") or character in _BIDIRECTIONAL:
            line, column = sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)
            name = f"U+{ord(character):04X}"
            message = f"the character {name} has no place in a query"
            raise SqlRefused([Problem(Code.BAD_CHARACTER, message, line, column, name)])


def _tokens(sql: str, dialect: str) -> list[Token]:
    try:
        tokens = Dialect.get_or_raise(dialect).tokenize(sql)
    except TokenError as error:
        message = "a string, a quoted name or a comment has no end, or a character has no meaning"
        raise refused(Code.SYNTAX, message) from error
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        _refuse_code_in_comments(tokens[-1], dialect)
        tokens.pop()
    while tokens and tokens[0].token_type == TokenType.SEMICOLON:
        _refuse_code_in_comments(tokens[0], dialect)
        tokens.pop(0)
    if not tokens:
        raise refused(Code.NO_SQL, "there is no SQL")
    if len(tokens) > MAX_TOKENS:
        raise refused(Code.TOO_LONG, f"the SQL has {len(tokens)} words and signs, {MAX_TOKENS} are the most")
    return tokens


def _refuse_hidden_code(tokens: Sequence[Token], dialect: str) -> None:
    for token in tokens:
        _refuse_code_in_comments(token, dialect)
        if token.token_type == TokenType.HINT:
            raise refused(Code.HINT, "hints to the optimizer are not allowed, leave `/*+ ... */` out", token)
        if token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) and not token.text.isascii():
            _refuse_look_alikes(token)


def _refuse_code_in_comments(token: Token, dialect: str) -> None:
    if dialect == "oracle" and any(comment.startswith("+") for comment in token.comments):
        raise refused(Code.HINT, "hints to the optimizer are not allowed, leave `--+ ...` out", token)
    if dialect == "mysql" and any(comment.startswith(("!", "M!")) for comment in token.comments):
        raise refused(Code.NOT_ALLOWED, "MySQL runs what stands in `/*! ... */`, which is not allowed", token)


def _refuse_look_alikes(token: Token) -> None:
    """Names may have letters of any language, but no invisible signs and no second way to write a letter."""
    if unicodedata.normalize("NFKC", token.text) != token.text:
        raise refused(Code.BAD_CHARACTER, f"`{token.text}` has letters that only look like others", token)
    odd = next((sign for sign in token.text if unicodedata.category(sign)[0] in "CZ" and sign != " "), None)
    if odd is not None:
        raise refused(Code.BAD_CHARACTER, f"a name has the invisible character U+{ord(odd):04X}", token)


def _refuse_other_than_one_query(tokens: Sequence[Token], dialect: str) -> None:
    first = next((token for token in tokens if token.token_type != TokenType.L_PAREN), tokens[0])
    if first.token_type not in _QUERIES and not (dialect == "duckdb" and first.token_type == TokenType.FROM):
        raise refused(Code.NOT_A_QUERY, f"only a query is allowed, and `{first.text}` begins none", first)
    semicolon = next((at for at, token in enumerate(tokens) if token.token_type == TokenType.SEMICOLON), None)
    if semicolon is not None:
        second = tokens[semicolon + 1]
        raise refused(Code.SEVERAL_STATEMENTS, f"only one statement is allowed, `{second.text}` begins another", second)


def _refuse_deep(tokens: Sequence[Token]) -> None:
    depth = prefixes = 0
    for token in tokens:
        depth += (token.token_type in _OPENS) - (token.token_type in _CLOSES)
        prefixes = prefixes + 1 if token.token_type in _PREFIXES else 0
        if max(depth, prefixes) > MAX_NESTING:
            raise refused(Code.TOO_DEEP, f"the SQL is nested deeper than {MAX_NESTING} levels", token)


def _tree(sql: str, tokens: list[Token], dialect: str) -> exp.Query:
    try:
        trees = Dialect.get_or_raise(dialect).parser().parse(tokens, sql)
    except RecursionError as error:
        raise refused(Code.TOO_DEEP, "the SQL is nested too deep to be read") from error
    except ParseError as error:
        raise _syntax_error(error) from error
    except (SqlglotError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        # sqlglot 30.30 lets such errors of its own through on some wrong texts.
        raise refused(Code.SYNTAX, "the SQL cannot be read") from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        raise refused(Code.NOT_A_QUERY, "only a query is allowed", found=tree.key if tree else None)
    _refuse_deep_tree(tree)
    return tree


def _syntax_error(error: ParseError) -> SqlRefused:
    told = error.errors[0] if error.errors else {}
    found, line, end = told.get("highlight"), told.get("line"), told.get("col")
    description = str(told.get("description") or "it cannot be read").split(" but got <Token")[0].rstrip(".")
    if description.startswith("Required keyword"):
        # It goes on with a class of sqlglot's, which tells a model nothing.
        description = "something is missing behind it"
    column = max(1, int(end) - len(str(found)) + 1) if end and found else None
    near = f" at `{found}`" if found else ""
    return SqlRefused([Problem(Code.SYNTAX, f"wrong syntax{near}: {description}", line, column, found)])


def _refuse_deep_tree(tree: exp.Expr) -> None:
    level: list[exp.Expr] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return
    raise refused(Code.TOO_DEEP, f"the SQL is nested deeper than {MAX_DEPTH} levels")
