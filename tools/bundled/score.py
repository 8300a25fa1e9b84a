"""Execution accuracy of a GGUF through llama.cpp's chat endpoint: `python score.py MODEL.gguf [QUESTIONS.yaml ...]`.

An answer is right when it returns the gold rows on the demo shop *and* on a second fill of it, compared as multisets
(as lists where the question asks for an order), numbers to a relative 1e-6, columns in any order, names ignored.
"""

from __future__ import annotations

import argparse
import json
import math
import sqlite3
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import generate
import yaml
from tokenizers import Tokenizer
from xllamacpp import CommonParams, Server

from biai_xinf import demo

OTHER_FILL, LONGEST_ANSWER = 7, 200


@dataclass(frozen=True)
class Asked:
    question: str
    sql: str
    lang: str
    ordered: bool
    group: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("questions", type=Path, nargs="*", help="YAML lists of question, sql, lang, ordered")
    parser.add_argument(
        "--generated",
        type=int,
        default=0,
        metavar="N",
        help="also N held-out phrasings per language, and N trained ones",
    )
    parser.add_argument(
        "--tokenizer", type=Path, help="check that llama.cpp splits 1,000 questions as this tokenizer.json does"
    )
    parser.add_argument("--seed", type=int, default=99)
    parser.add_argument("--failures", action="store_true", help="print each wrong answer")
    args = parser.parse_args()
    sets = {path.stem: read_questions(path) for path in args.questions}
    if args.generated:
        sets |= generated_sets(args.seed, args.generated)
    url, server = serve(args.model)
    if args.tokenizer:
        print(f"{split_differently(url, args.tokenizer, args.seed)} of 1000 questions are split differently")
    databases = [demo.in_memory(), another_fill()]
    report: dict[str, Any] = {"model": args.model.name, "bytes": args.model.stat().st_size}
    for name, questions in sets.items():
        outcomes: dict[str, list[bool]] = defaultdict(list)
        for asked in questions:
            answer = complete(url, asked.question)
            right = all(same_answer(database, asked.sql, answer, asked.ordered) for database in databases)
            outcomes[asked.lang].append(right)
            if args.failures and not right:
                print(f"[{name} {asked.group}] {asked.question}\n  got:  {answer}\n  gold: {asked.sql}")
        for lang, rights in sorted(outcomes.items()):
            report[f"{name} {lang}"] = {
                "right": sum(rights),
                "n": len(rights),
                "share": round(sum(rights) / len(rights), 4),
            }
            print(f"{name:24} {lang}  {sum(rights):4} of {len(rights):4}  {sum(rights) / len(rights):6.1%}", flush=True)
    del server
    print(json.dumps(report))


def read_questions(path: Path) -> list[Asked]:
    return [
        Asked(e["question"], e["sql"], e.get("lang", "en"), bool(e.get("ordered")), "")
        for e in yaml.safe_load(path.read_text())
    ]


def generated_sets(seed: int, count: int) -> dict[str, list[Asked]]:
    """Phrasings kept from training and phrasings trained on, English and Polish; values are drawn anew.

    Only questions with something to find count: where the gold rows are empty, NULL or zero, wrong answers often agree.
    """
    databases = [demo.in_memory(), another_fill()]
    sets: dict[str, list[Asked]] = {"held-out phrasings": [], "trained phrasings": []}
    for name, held_out in (("held-out phrasings", True), ("trained phrasings", False)):
        for polish in (0.0, 1.0):
            stream = generate.examples(seed, held_out, polish)
            telling = (e for e in stream if all(_tells(database, e.sql) for database in databases))
            sets[name] += [
                Asked(e.question, e.sql, e.lang, " LIMIT " in e.sql, e.shape) for e in islice(telling, count)
            ]
    return sets


def _tells(database: sqlite3.Connection, sql: str) -> bool:
    return any(value not in (None, 0) for row in database.execute(sql) for value in row)


def serve(model: Path) -> tuple[str, Server]:
    params = CommonParams()
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.use_jinja, params.verbosity = 512, 1, True, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = Server(params)
    return server.listening_address, server


def complete(url: str, question: str) -> str:
    messages = [{"role": "system", "content": "Answer with one SQLite query."}, {"role": "user", "content": question}]
    answer = _post(f"{url}/v1/chat/completions", {"messages": messages, "temperature": 0, "max_tokens": LONGEST_ANSWER})
    return str(answer["choices"][0]["message"]["content"])


def split_differently(url: str, tokenizer: Path, seed: int) -> int:
    ours = Tokenizer.from_file(str(tokenizer))
    questions = [example.question for example in islice(generate.examples(seed, polish_share=0.3), 1000)]
    return sum(ours.encode(text).ids != _post(f"{url}/tokenize", {"content": text})["tokens"] for text in questions)


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return dict(json.load(response))


def another_fill() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    demo.fill(connection, seed=OTHER_FILL)
    return connection


def same_answer(database: sqlite3.Connection, gold: str, answer: str, ordered: bool) -> bool:
    wanted = database.execute(gold).fetchall()
    # A runaway join must fail, not hang the score.
    database.set_progress_handler(lambda: 1, 50_000_000)
    try:
        got = database.execute(answer).fetchall()
    except sqlite3.Error:
        return False
    finally:
        database.set_progress_handler(None, 0)
    return same_rows(wanted, got, ordered)


def same_rows(wanted: list[tuple[Any, ...]], got: list[tuple[Any, ...]], ordered: bool) -> bool:
    if len(wanted) != len(got) or (wanted and len(wanted[0]) != len(got[0])):
        return False
    if not wanted:
        return True
    for order in permutations(range(len(wanted[0]))):
        shuffled = [tuple(row[index] for index in order) for row in got]
        pairs = (
            zip(wanted, shuffled, strict=True)
            if ordered
            else zip(sorted(wanted, key=_sort_key), sorted(shuffled, key=_sort_key), strict=True)
        )
        if all(_same_value(a, b) for one, other in pairs for a, b in zip(one, other, strict=True)):
            return True
    return False


def _sort_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        (value is not None, isinstance(value, str), f"{value:.5e}" if isinstance(value, float | int) else str(value))
        for value in row
    )


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)


if __name__ == "__main__":
    main()
