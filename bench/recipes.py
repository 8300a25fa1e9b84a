"""What a recipe's options bring for SQL, beside those Xinference takes when nothing but the model is named.

`python bench/recipes.py` needs biai-xinf[server,test] in the Python that runs it; `docs/performance.md` explains the
figures. One Xinference with our extension serves the same weights twice, once with each set of options, and only one
of the two is asked at a time. The weights are random: what they cost is real, what they say is nonsense.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import string
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import requests
from measure import clean_up_when_terminated, environment, finish, in_turn, print_results, rounded, say, xinference
from random_weights import Size, family, random_gguf

from biai_xinf.catalogue import load_entry, shipped_specs
from biai_xinf.client import Client
from biai_xinf.specs import EngineRecipe

Results = dict[str, Any]
# 0.3 billion parameters, of which 0.19 work on every token; the context is that of qwen2.5-coder.
SIZE = Size(layers=22, hidden=768, feed_forward=3072, heads=12, kv_heads=2, head_dim=64)
FAMILY, QUANTIZATION = "bench-sql", "q8_0"
# A schema of some 2,000 tokens, a question of some 20, an answer as long as a SELECT with a join: a random model
# never ends by itself. Its tokenizer has a token for each lower-case letter and blank.
SCHEMA_TOKENS, QUESTION_TOKENS, ANSWER_TOKENS = 2000, 20, 48
CLIENTS = 8
# One question in eight is about the schema of another application.
OTHER_EVERY = 8
ANSWER_TIMEOUT_S = 1800
# The first two it sets by itself, for engines of another time; threads it sets another way.
_LOGGED_IN_VAIN = ("use_mmap", "use_mlock", "n_threads")


@dataclass(frozen=True)
class Rounds:
    """How often each set of options is measured, the questions of one round, and whether a second schema comes in.

    A second schema has to be known to every slot before the first round: minutes on two cores.
    """

    cold: int
    throughput: int
    questions: int
    two_schemas: bool


THOROUGH = Rounds(cold=5, throughput=8, questions=32, two_schemas=True)
QUICK = Rounds(cold=1, throughput=2, questions=16, two_schemas=False)


@dataclass(frozen=True)
class Answer:
    """One streamed answer: until its first word and its last, and the tokens of its prompt and its text."""

    first_s: float
    total_s: float
    prompt: int
    cached: int
    generated: int


@dataclass(frozen=True)
class Burst:
    """Questions put by several clients until all were answered; `cpu_s` is what that took the model's process."""

    wall_s: float
    cpu_s: float
    answers: tuple[Answer, ...]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.answers) / self.wall_s


@dataclass
class Subject:
    """The model under one set of options, and the questions it has been asked."""

    endpoint: str
    uid: str
    options: Mapping[str, Any]
    process: psutil.Process | None = None
    asked: Iterator[int] = field(default_factory=lambda: iter(range(sys.maxsize)))

    def ask(self, schema: str) -> Answer:
        """Ask something that was not asked before; raises requests.RequestException."""
        return ask(self.endpoint, self.uid, schema, words(f"question {next(self.asked)}", QUESTION_TOKENS))

    def burst(self, schemas: Sequence[str]) -> Burst:
        """One question about each schema, in this order, by as many clients as there are."""
        before, begun = self.cpu_s(), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = tuple(clients.map(self.ask, schemas))
        return Burst(time.perf_counter() - begun, self.cpu_s() - before, answers)

    def cpu_s(self) -> float:
        """User and system time of the model's process so far."""
        assert self.process is not None
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Measure both sets of options in turn, and print them for people and for machines."""
    arguments = _arguments()
    clean_up_when_terminated()
    options = arguments.options or recipe_options(*arguments.recipe.split("/"))
    rounds = QUICK if arguments.quick else THOROUGH
    with tempfile.TemporaryDirectory() as folder, environment(**_nobodys(folder)), contextlib.ExitStack() as stack:
        threads = {"n_threads": arguments.threads} if arguments.threads else {}
        arms = {"defaults": threads, "recipe": {**options, **threads}}
        subjects = start(stack, Path(folder), arms, arguments.quantization)
        results = {"options": options, "threads": arguments.threads, "idle_cores": idle_cores(subjects)}
        results |= measure(subjects, rounds)
    if not arguments.as_json:
        print_results(results)
    finish(rounded(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print nothing but the JSON line")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: minutes less, and more noise")
    parser.add_argument("--recipe", default="sql-coder/cpu-6g", help="whose options are measured, SPEC/RECIPE")
    parser.add_argument("--options", type=json.loads, help="options to measure in place of a recipe's, as JSON")
    parser.add_argument("--threads", type=int, help="of both models: fewer than cores where others use them too")
    parser.add_argument("--quantization", default=QUANTIZATION, help="of the random weights")
    return parser.parse_args()


def _nobodys(folder: str) -> dict[str, str]:
    """The environment of a user who has set nothing, and whose machine is all there is: no model hub."""
    return {"BIAI_XINF_HOME": folder, "XINFERENCE_AUTH_ADVANCED": "0", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}


def recipe_options(spec: str, name: str) -> dict[str, Any]:
    """What a llama.cpp recipe of ours launches with, but for the model itself."""
    recipe = load_entry(shipped_specs() / f"{spec}.yaml").recipe(name)
    assert isinstance(recipe, EngineRecipe)
    assert recipe.engine == "llama.cpp"
    sizing = {"context_length": recipe.requires.context, "n_parallel": recipe.requires.parallel}
    return {**{key: value for key, value in sizing.items() if value is not None}, **recipe.engine_options}


def start(
    stack: contextlib.ExitStack, folder: Path, arms: Mapping[str, Mapping[str, Any]], quantization: str
) -> dict[str, Subject]:
    """An Xinference that serves the same random weights under each set of options."""
    say(f"writing random weights, {quantization}")
    weights = random_gguf(folder / "weights", size=SIZE, quantization=quantization)
    say("starting Xinference with the extension")
    stack.enter_context(environment(XINFERENCE_EXTENSIONS="biai_xinf.extension:create"))
    service = stack.enter_context(xinference(folder))
    subjects = {}
    with Client(service.endpoint) as client:
        client.register("LLM", family(FAMILY, SIZE, weights, quantization))
        for name, options in arms.items():
            say(f"launching with {options or 'what Xinference takes by itself'}")
            before = set(psutil.Process(service.pid).children(recursive=True))
            chosen = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": quantization}
            body = {"model_uid": name, "model_name": FAMILY, "model_engine": "llama.cpp", **chosen, **options}
            client.launch(body, wait_ready=True, timeout=600)
            added = set(psutil.Process(service.pid).children(recursive=True)) - before
            process = max(added, key=lambda one: one.memory_info().rss)
            subjects[name] = Subject(service.endpoint, name, options, process)
    _refuse_ignored_options(service.log)
    return subjects


def _refuse_ignored_options(log: Path) -> None:
    """Xinference 4.1 only logs an option that it cannot set."""
    for line in log.read_text(errors="replace").splitlines():
        if "Failed to set the param" in line and not any(f"param {name} " in line for name in _LOGGED_IN_VAIN):
            raise RuntimeError(line)


def idle_cores(subjects: Mapping[str, Subject], seconds: float = 3) -> float:
    """Cores that the models keep busy while nobody asks anything."""
    before = {name: subject.cpu_s() for name, subject in subjects.items()}
    time.sleep(seconds)
    return sum(subject.cpu_s() - before[name] for name, subject in subjects.items()) / seconds


def measure(subjects: Mapping[str, Subject], rounds: Rounds) -> Results:
    """First words alone, then the first rush on a schema, then questions as they come all day."""
    say("first words, of schemas new and known")
    firsts = in_turn(rounds.cold, {name: partial(first_words, one) for name, one in subjects.items()}, warm_ups=0)
    say("eight clients at once with a new schema")
    schema, other = words("schema of one application", SCHEMA_TOKENS), words("schema of another", SCHEMA_TOKENS)
    rush = {name: subject.burst([schema] * CLIENTS) for name, subject in subjects.items()}
    say("eight clients with known schemas")
    day = [other if rounds.two_schemas and number % OTHER_EVERY == 1 else schema for number in range(rounds.questions)]
    work = {name: partial(one.burst, day) for name, one in subjects.items()}
    bursts = in_turn(rounds.throughput, work, warm_ups=int(rounds.two_schemas))
    found = {name: _found(firsts[name], rush[name], bursts[name]) for name in subjects}
    ours, theirs = found["recipe"], found["defaults"]
    return {
        "throughput_ratio": ours["answers_per_s"] / theirs["answers_per_s"],
        "throughput_ratios": [one / another for one, another in zip(ours["rates"], theirs["rates"], strict=True)],
        "cpu_ratio": theirs["cpu_s_per_answer"] / ours["cpu_s_per_answer"],
        "warm_ttft_ratio": ours["warm_s"] / ours["cold_s"],
        "rush_ratio": theirs["rush_s"] / ours["rush_s"],
        "engines": {"llama.cpp": _llama_cpp_version()},
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **found,
    }


def first_words(subject: Subject) -> tuple[float, float]:
    """Seconds to the first word about a schema never seen, and about the same one with another question."""
    schema = words(f"{subject.uid} schema {next(subject.asked)}", SCHEMA_TOKENS)
    return subject.ask(schema).first_s, subject.ask(schema).first_s


def _found(firsts: Sequence[tuple[float, float]], rush: Burst, bursts: Sequence[Burst]) -> Results:
    answers = [answer for burst in bursts for answer in burst.answers]
    twentieths = quantiles([answer.total_s for answer in answers], n=20)
    return {
        "cold_s": median(cold for cold, _ in firsts),
        "warm_s": median(warm for _, warm in firsts),
        "firsts": firsts,
        "rush_s": rush.wall_s,
        "rush_prompt_tokens": sum(answer.prompt - answer.cached for answer in rush.answers),
        "answers_per_s": median(burst.rate for burst in bursts),
        "rates": [burst.rate for burst in bursts],
        "tokens_per_s": median(sum(one.generated for one in burst.answers) / burst.wall_s for burst in bursts),
        "cpu_s_per_answer": median(burst.cpu_s / len(burst.answers) for burst in bursts),
        "prompt_tokens_per_answer": sum(answer.prompt - answer.cached for answer in answers) / len(answers),
        "first_word_p50_s": median(answer.first_s for answer in answers),
        "latency_p50_s": twentieths[9],
        "latency_p95_s": twentieths[18],
    }


def ask(endpoint: str, uid: str, schema: str, question: str) -> Answer:
    """One streamed chat; raises requests.RequestException, and RuntimeError when it ends without a count of tokens."""
    body = {
        "model": uid,
        "messages": [{"role": "system", "content": schema}, {"role": "user", "content": question}],
        "max_tokens": ANSWER_TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    begun, first_s, usage = time.perf_counter(), None, None
    with requests.post(f"{endpoint}/v1/chat/completions", json=body, stream=True, timeout=ANSWER_TIMEOUT_S) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if first_s is None and any(choice["delta"].get("content") for choice in chunk.get("choices", ())):
                first_s = time.perf_counter() - begun
            usage = chunk.get("usage") or usage
    total_s = time.perf_counter() - begun
    if usage is None:
        raise RuntimeError(f"`{uid}` ended an answer without its count of tokens")
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Answer(first_s or total_s, total_s, usage["prompt_tokens"], cached, usage["completion_tokens"])


def words(seed: str, tokens: int) -> str:
    """Lower-case words, the same for the same seed: as many tokens as characters."""
    chosen = random.Random(seed)
    text = " ".join("".join(chosen.choices(string.ascii_lowercase, k=chosen.randint(3, 9))) for _ in range(tokens // 4))
    return text[:tokens]


def _llama_cpp_version() -> str:
    import xllamacpp

    return str(xllamacpp.__version__)


if __name__ == "__main__":
    main()
