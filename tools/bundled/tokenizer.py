"""The model's tokenizer: byte-level BPE for questions and values, whole fragments for the SQL.

`python tokenizer.py OUT.json` trains it on generated questions. Three choices make a small model's life easy:
a value has the same pieces in the question and in the SQL (no merge ever joins a space to a capital letter),
every digit stands alone, and a fragment such as a whole JOIN is one token, so answers are some 15 tokens long.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from itertools import islice

import generate
import intents
import values
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END, QUESTION, ANSWER = "<|end|>", "<|q|>", "<|a|>"
# The split of llama.cpp's pre-tokenizer type `qwen2`; each digit is a piece of its own.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORD_PIECES, SAMPLE, SEED = 1800, 60_000, 1
SPACE = "Ġ"
_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    train().save(parser.parse_args().out)


def train() -> Tokenizer:
    questions = [example.question for example in islice(generate.examples(SEED, polish_share=0.25), SAMPLE)]
    learned = _merges_without_spaces(questions + values.known() * 3)
    vocabulary, merges = _with_spaced_words(learned, questions)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"), _BYTES])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in fragments()])
    return tokenizer


def _merges_without_spaces(texts: list[str]) -> dict[str, object]:
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\p{L}+|\P{L}"), "isolated"), _BYTES])
    trainer = trainers.BpeTrainer(
        vocab_size=WORD_PIECES,
        special_tokens=[END, QUESTION, ANSWER],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    return json.loads(learner.to_str())["model"]


def _with_spaced_words(
    learned: dict[str, object], questions: list[str]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Common lower-case words also exist with the space before them, to keep questions short."""
    vocabulary: dict[str, int] = dict(learned["vocab"])  # type: ignore[call-overload]
    merges = [tuple(pair) for pair in learned["merges"]]  # type: ignore[attr-defined]
    counts = Counter(word for text in questions for word in re.findall(r"(?<= )[^\W\d_A-Z]+\b", text))
    valued = {word for value in values.known() for word in value.lower().split()} - {"the"}
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        piece = _BYTES.pre_tokenize_str(word)[0][0]
        if piece in vocabulary and count > SAMPLE // 500 and word not in valued:
            vocabulary[SPACE + piece] = len(vocabulary)
            merges.append((SPACE, piece))
    return vocabulary, merges


def fragments() -> list[str]:
    """The pieces of canonical SQL that are one token each."""
    found = ["SELECT ", "SELECT DISTINCT ", " WHERE ", " AND ", " GROUP BY ", " ORDER BY ", " DESC", " LIMIT ", " HAVING ", "COUNT(*)",
             " = '", " <> '", " IN ('", "', '", "')", "'", " >= '", " < '", " <= '", " > '", " > ", " < ", " >= ", " <= ", " = ", " BETWEEN ",
             ", ", " NOT IN (", " IN (", "100.0 * ", "1.0 * ", " ELSE 0 END) / ", "SUM(CASE WHEN ", " THEN ", " AS share", "share",
             "SELECT COUNT(*) FROM (", "SELECT MAX(value) FROM (", "SELECT MIN(value) FROM (", "SELECT MAX(units) FROM (",
             "SELECT MIN(units) FROM (", "(SELECT AVG(price) FROM products)", "strftime('%Y', o.order_date)", " AS value",
             "oi.quantity * oi.unit_price", "oi.quantity", "oi.unit_price", "oi.order_id", "oi.product_id", "o.customer_id", "value"]  # fmt: skip
    found += [*intents.FROM.values(), *intents.JOINS.values()]
    for measure in intents.MEASURES.values():
        for sql in filter(None, (measure.sql, measure.over_items)):
            found += [sql, f"{sql} AS {measure.alias}"]
        found.append(measure.alias)
    for dim in intents.DIMS.values():
        found += [dim.select, dim.group]
    for _, key, columns in intents.ENTITIES.values():
        found += [*columns.values(), key]
    found += [f"-{month:02}-01'" for month in range(1, 13)]
    found += [f"/ ({sub}) AS share" for sub in ("SELECT SUM(quantity * unit_price) FROM order_items", "SELECT SUM(quantity) FROM order_items",
              "SELECT COUNT(*) FROM orders", "SELECT COUNT(*) FROM customers", "SELECT COUNT(*) FROM products")]  # fmt: skip
    # A bare word would also be cut out of questions, where it must stay one word among others.
    return sorted(
        {text for text in found if not text.isalpha() and text not in ("'", ", ")}, key=lambda text: (-len(text), text)
    )


if __name__ == "__main__":
    main()
