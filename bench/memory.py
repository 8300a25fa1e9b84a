"""What models take beside what `biai_xinf.estimate` said, on engines that a real Xinference runs.

`python bench/memory.py` needs biai-xinf[server,test] in the Python that runs it. vLLM may be there as well, or in a
second one with xinference that BIAI_XINF_TEST_VLLM names, as `tools/vllm_cpu/make_env` makes it. The models have random
weights and are made here. Each is launched with a context and a parallelism, gets as many prompts at once as it serves,
nearly as long as the context, and is looked at: the largest resident size of its processes (`VmHWM`), with
`--device gpu` also the most memory of GPU 0 that was in use meanwhile. `--bare` looks at processes without any model.
`docs/performance.md` explains the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import requests
from measure import clean_up_when_terminated, environment, finish, say, xinference
from random_weights import Size, family, random_folder, random_gguf

from biai_xinf.estimate import Estimate, estimate
from biai_xinf.shapes import LocalWeights, read_local
from biai_xinf.units import GIB, MIB

BOUND_SHARE, BOUND_BYTES = 0.08, 150 * MIB
START_S, ANSWER_S = 900.0, 900.0
# Left for the template of the chat and for the answer.
NOT_PROMPT, ANSWER = 48, 4
LONGEST_FOR_LLAMA_CPP = 600

SIZES = {
    "0.1b": Size(12, 768, 2048, 12, 4, 64, vocabulary=49_152),
    # Qwen2.5-0.5B, Qwen3-0.6B, Qwen2.5-1.5B.
    "0.5b": Size(24, 896, 4864, 14, 2, 64),
    "0.6b": Size(28, 1024, 3072, 16, 8, 128),
    "1.5b": Size(28, 1536, 8960, 12, 2, 128),
    # Qwen2.5-3B and 7B.
    "3b": Size(36, 2048, 11_008, 16, 2, 128),
    "7b": Size(28, 3584, 18_944, 28, 4, 128, vocabulary=152_064, tied=False),
    # bge-m3, without a last matrix: an encoder has none.
    "encoder": Size(24, 1024, 4096, 16, 16, 64, vocabulary=250_002, context=8192),
    # Of 16 experts 4 are used; of 18 layers 15 look back 512 tokens.
    "moe": Size(12, 1024, 512, 16, 4, 64, experts=16, experts_used=4),
    "window": Size(18, 1024, 3072, 8, 4, 128, window=512),
}


@dataclass(frozen=True)
class Point:
    """One launch. `rounds` of prompts are put, each of other prompts; what is `held_out` tuned no constant."""

    engine: str
    size: str
    quantization: str
    context: int
    parallel: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 1
    held_out: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.engine} {self.size} {self.quantization} {self.context} x {self.parallel}"

    @property
    def model_format(self) -> str:
        return "ggufv2" if self.engine == "llama.cpp" else "pytorch"

    @property
    def embeds(self) -> bool:
        return self.engine == "sentence_transformers"


NO_PROMPT_CACHE = {"cache_ram_mib": 0}
POINTS = [
    Point("llama.cpp", "0.1b", "q8_0", 2048, 2, NO_PROMPT_CACHE, quick=True),
    Point("llama.cpp", "0.1b", "q6_k", 16384, 1, NO_PROMPT_CACHE),
    Point("llama.cpp", "0.1b", "q4_k_m", 1024, 8, {"cache_ram_mib": 128}, rounds=3),
    Point("llama.cpp", "0.5b", "f16", 2048, 2, NO_PROMPT_CACHE, held_out=True),
    Point("llama.cpp", "0.6b", "q4_k_m", 2048, 2, NO_PROMPT_CACHE, quick=True),
    Point("llama.cpp", "0.6b", "q8_0", 4096, 1, NO_PROMPT_CACHE),
    Point("llama.cpp", "0.6b", "q4_0", 1024, 4, NO_PROMPT_CACHE),
    Point("llama.cpp", "0.6b", "iq4_nl", 2048, 1, {**NO_PROMPT_CACHE, "n_ubatch": 2048}, held_out=True),
    Point("llama.cpp", "0.6b", "q5_k_m", 4096, 2, {**NO_PROMPT_CACHE, "cache_type_k": 8, "cache_type_v": 8}),
    Point("llama.cpp", "1.5b", "q4_k_m", 2048, 2, NO_PROMPT_CACHE, held_out=True),
    Point("llama.cpp", "moe", "q4_k_m", 2048, 2, NO_PROMPT_CACHE),
    Point("llama.cpp", "window", "q4_k_m", 4096, 2, NO_PROMPT_CACHE),
    Point("Transformers", "0.1b", "float32", 1024, 2, rounds=2, quick=True),
    Point("Transformers", "0.1b", "bfloat16", 2048, 4, {"torch_dtype": "bfloat16"}, rounds=2),
    Point("Transformers", "0.5b", "bfloat16", 1024, 1),
    Point("Transformers", "0.5b", "bfloat16", 512, 4, {"torch_dtype": "bfloat16"}, rounds=2, held_out=True),
    Point("vLLM", "0.1b", "bfloat16", 1024, 4, {"enforce_eager": True}, quick=True),
    Point("vLLM", "0.5b", "bfloat16", 2048, 2, {"enforce_eager": True}),
    Point("vLLM", "0.6b", "bfloat16", 1024, 2, {"enforce_eager": True}),
]
ON_GPU = [
    Point("Transformers", "0.1b", "bfloat16", 2048, 4, rounds=2, quick=True),
    Point("Transformers", "0.5b", "bfloat16", 2048, 8, rounds=2),
    Point("Transformers", "0.6b", "bfloat16", 4096, 2, rounds=2),
    Point("Transformers", "1.5b", "bfloat16", 4096, 4, rounds=2, held_out=True),
    Point("Transformers", "3b", "bfloat16", 8192, 2, rounds=2, held_out=True),
    Point("Transformers", "7b", "bfloat16", 4096, 4, rounds=2),
    Point("sentence_transformers", "encoder", "float32", 2048, 4),
    Point("sentence_transformers", "encoder", "float32", 2048, 8, {"torch_dtype": "float16"}),
    Point("sentence_transformers", "encoder", "float32", 512, 32, {"torch_dtype": "float16"}, held_out=True),
    Point("llama.cpp", "0.1b", "q8_0", 2048, 2, NO_PROMPT_CACHE, quick=True),
    Point("llama.cpp", "0.6b", "q4_k_m", 2048, 2, NO_PROMPT_CACHE),
    Point("llama.cpp", "0.6b", "q8_0", 8192, 4, NO_PROMPT_CACHE),
    Point("llama.cpp", "0.6b", "q8_0", 4096, 2, {**NO_PROMPT_CACHE, "flash_attn_type": 0}),
    Point("llama.cpp", "0.6b", "iq4_nl", 4096, 2, {**NO_PROMPT_CACHE, "n_ubatch": 2048}, held_out=True),
    Point("llama.cpp", "0.6b", "q5_k_m", 4096, 2, {**NO_PROMPT_CACHE, "cache_type_k": 8, "cache_type_v": 8}),
    Point("llama.cpp", "1.5b", "f16", 4096, 4, NO_PROMPT_CACHE),
    Point("llama.cpp", "3b", "q6_k", 8192, 8, NO_PROMPT_CACHE, held_out=True),
    Point("llama.cpp", "7b", "q4_k_m", 8192, 8, NO_PROMPT_CACHE),
    Point("llama.cpp", "7b", "q5_k_m", 16384, 4, {"cache_ram_mib": 1024}, held_out=True),
    Point("llama.cpp", "moe", "q4_k_m", 2048, 2, NO_PROMPT_CACHE),
    Point("llama.cpp", "window", "q4_k_m", 4096, 2, NO_PROMPT_CACHE),
]


@dataclass(frozen=True)
class Measured:
    """One point as it was: bytes; `weights` are those of the files.

    `estimated`, `peak` and `parts` are of the device it runs on, those of the `host` beside a GPU stand alone.
    """

    point: Point
    weights: int
    estimated: int
    peak: int
    parts: Mapping[str, int]
    host_estimated: int
    host_peak: int

    @property
    def gpustack(self) -> int:
        """What GPUStack's rule of thumb says."""
        return round(1.2 * self.weights) + 2 * GIB

    @property
    def error(self) -> float:
        """Share of the peak; negative where the estimate was too small."""
        return (self.estimated - self.peak) / self.peak

    @property
    def within_bound(self) -> bool:
        return abs(self.estimated - self.peak) <= max(BOUND_SHARE * self.peak, BOUND_BYTES)


def main() -> None:
    """Measure every point and print a table, then one line of JSON."""
    arguments = _arguments()
    clean_up_when_terminated()
    if arguments.bare:
        return finish(_bare(arguments.device))
    all_points = ON_GPU if arguments.device == "gpu" else POINTS
    points = [point for point in all_points if point.quick or not arguments.quick]
    points = [point for point in points if re.search(arguments.only, point.name)]
    with contextlib.ExitStack() as stack:
        models = arguments.models or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memory-")))
        if arguments.again:
            found = _again(arguments.again, models, arguments.device)
        else:
            split = _by_python(points).items()
            found = [one for python, few in split for one in _measured(few, python, models, arguments)]
    if not arguments.as_json:
        for one in found:
            print(_row(one))
    finish(_results(found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="where the models run")
    parser.add_argument("--models", type=Path, help="keep the models made here, and use those that are there")
    parser.add_argument("--only", default="", metavar="REGEX", help="only the points whose name it finds")
    parser.add_argument(
        "--again", type=Path, metavar="FILE", help="estimate what an earlier run measured: its last line"
    )
    parser.add_argument("--bare", action="store_true", help="only what a process with PyTorch takes before any model")
    parser.add_argument("--quick", action="store_true", help="one or two points of each engine, for a first look")
    parser.add_argument("--json", action="store_true", dest="as_json", help="only the last line")
    return parser.parse_args()


def _again(results: Path, models: Path, device: str) -> list[Measured]:
    """What was measured, beside what is estimated now."""
    lines = results.read_text(encoding="utf-8").splitlines()
    names = [field.name for field in fields(Point)]
    found = []
    for one in json.loads(lines[-1])["measured"]:
        point = Point(**{name: one[name] for name in names})
        local = read_local(_model(models, point))
        expected, host_peak = _expected(point, local, device), one.get("host_peak", one["peak"])
        found.append(_compared(point, local, expected, one["peak"], host_peak, device))
    return found


def _by_python(points: list[Point]) -> dict[str, list[Point]]:
    """The points of each Python that runs them; those of an engine that no Python has are left out, and said so."""
    split: dict[str, list[Point]] = {}
    vllm = os.environ.get("BIAI_XINF_TEST_VLLM") or (sys.executable if importlib.util.find_spec("vllm") else None)
    for point in points:
        python = vllm if point.engine == "vLLM" else sys.executable
        if python is None:
            say(f"{point.name}: left out, BIAI_XINF_TEST_VLLM names no Python that has vLLM")
        else:
            split.setdefault(python, []).append(point)
    return split


def _measured(points: list[Point], python: str, models: Path, arguments: argparse.Namespace) -> Iterator[Measured]:
    """Each point on a Xinference that this Python runs, one after the other."""

    def command(port: int) -> list[str]:
        launcher = [python, "-m", "biai_xinf.local_server", "--stock", "local"]
        return [*launcher, "--host", "127.0.0.1", "--port", str(port)]

    root = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": root, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="memory-") as folder,
        environment(**own),
        xinference(Path(folder), command) as service,
    ):
        server = psutil.Process(service.pid)
        for number, point in enumerate(points):
            say(f"{point.name} {json.dumps(point.options)}")
            path = _model(models, point)
            try:
                one = _Run(service.endpoint, server, f"point-{number}", point, path, arguments.device).measured()
            except (RuntimeError, requests.RequestException) as error:
                say(f"{point.name}: left out, {error}")
                continue
            say(_row(one))
            yield one


def _model(models: Path, point: Point) -> Path:
    folder, size = models / f"{point.size}-{point.quantization}", SIZES[point.size]
    if not (folder / "made").exists():
        if point.model_format == "ggufv2":
            random_gguf(folder, size=size, quantization=point.quantization)
        elif point.engine == "sentence_transformers":
            _random_encoder(folder, size)
        else:
            random_folder(folder, size=size, dtype=point.quantization)
        (folder / "made").touch()
    return next(folder.glob("*.gguf"), folder)


def _random_encoder(folder: Path, size: Size) -> None:
    """An XLM-RoBERTa of 32 bits as sentence-transformers loads it; it speaks the tokens of the others."""
    from sentence_transformers import SentenceTransformer, models
    from transformers import XLMRobertaConfig, XLMRobertaModel

    random_folder(folder, size=Size(1, 64, 64, 1, 1, 64, vocabulary=size.vocabulary))
    config = XLMRobertaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.feed_forward,
        max_position_embeddings=size.context + 2,
        type_vocab_size=1,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    words = models.Transformer(str(folder), max_seq_length=size.context)
    SentenceTransformer(modules=[words, models.Pooling(size.hidden, "cls")], device="cpu").save(str(folder))


def _encoder_family(name: str, size: Size, path: Path) -> dict[str, object]:
    spec = {"model_format": "pytorch", "model_id": "random/random", "quantization": "none", "model_uri": path.as_uri()}
    about = {"dimensions": size.hidden, "max_tokens": size.context, "language": ["en"]}
    return {"version": 2, "model_name": name, **about, "model_specs": [spec]}


def _expected(point: Point, local: LocalWeights, device: str) -> Estimate:
    return estimate(
        local.shape,
        weights=local.size,
        model_format=point.model_format,
        quantization=point.quantization if point.model_format == "ggufv2" else "none",
        engine=point.engine,
        context=point.context,
        parallel=point.parallel,
        options={**point.options, "max_num_seqs": point.parallel} if point.engine == "vLLM" else point.options,
        gpus=1 if device == "gpu" else 0,
    )


def _compared(
    point: Point, local: LocalWeights, expected: Estimate, peak: int, host_peak: int, device: str
) -> Measured:
    part = expected.device if device == "gpu" else expected.host
    return Measured(point, local.size, part.total, peak, asdict(part), expected.host.total, host_peak)


@dataclass(frozen=True)
class _Run:
    """One launch on a server, from the registration to the end of the model's processes."""

    endpoint: str
    server: psutil.Process
    uid: str
    point: Point
    path: Path
    device: str

    def measured(self) -> Measured:
        local = read_local(self.path)
        expected = _expected(self.point, local, self.device)
        before = set(self.server.children(recursive=True))
        with _Gpu() if self.device == "gpu" else contextlib.nullcontext() as gpu:
            self._launch(expected)
            try:
                self._fill()
                started = [process for process in self.server.children(recursive=True) if process not in before]
                host_peak = sum(map(_peak_of, started))
                peak = gpu.peak() if gpu else host_peak
            finally:
                requests.delete(f"{self.endpoint}/v1/models/{self.uid}", timeout=ANSWER_S)
        return _compared(self.point, local, expected, peak, host_peak, self.device)

    def _launch(self, expected: Estimate) -> None:
        point = self.point
        quantization = point.quantization if point.model_format == "ggufv2" else "none"
        if point.embeds:
            kind, registered = "embedding", _encoder_family(self.uid, SIZES[point.size], self.path)
        else:
            kind, registered = "LLM", family(self.uid, SIZES[point.size], self.path, quantization)
        self._post(f"/v1/model_registrations/{kind}", {"model": json.dumps(registered), "persist": False})
        names = {"model_uid": self.uid, "model_name": self.uid, "model_type": kind, "model_engine": point.engine}
        what: dict[str, object] = {"model_format": point.model_format, "quantization": quantization}
        if not point.embeds:
            what["model_size_in_billions"] = 1
        where = {"n_gpu": 1 if self.device == "gpu" else None}
        self._post("/v1/models", {**names, **what, **where, **self._options(expected)})

    def _options(self, expected: Estimate) -> dict[str, object]:
        point = self.point
        if point.embeds:
            return dict(point.options)
        shared: dict[str, object] = {"context_length": point.context, **point.options}
        if point.engine == "llama.cpp":
            return {**shared, "n_parallel": point.parallel}
        if point.engine == "vLLM":
            # Of its cache it takes what it is told: by default whatever is free.
            told = {
                "max_num_seqs": point.parallel,
                "kv_cache_memory_bytes": expected.cache,
                "dtype": point.quantization,
            }
            # Its attention on the CPU knows no smaller blocks.
            blocks = {"block_size": 32} if self.device == "cpu" else {}
            return {**shared, **told, **blocks, "tensor_parallel_size": 1}
        return shared

    def _fill(self) -> None:
        """Prompts as long as fit, as many at once as are served.

        A short one goes first to Transformers: those that come while it computes are then computed together.
        """
        length = self.point.context - NOT_PROMPT - ANSWER
        if self.point.embeds:
            texts = [_prompt(number, length) for number in range(self.point.parallel)]
            assert self._post("/v1/embeddings", {"model": self.uid, "input": texts})["data"]
            return
        if self.point.engine == "llama.cpp":
            # It writes its whole cache at the start; what a prompt adds that is longer than a batch is time.
            length = min(length, max(LONGEST_FOR_LLAMA_CPP, self.point.options.get("n_ubatch", 0)))
        with ThreadPoolExecutor(self.point.parallel + 1) as pool:
            for turn in range(self.point.rounds):
                ahead = pool.submit(self._ask, "hello", 12 * ANSWER) if self.point.engine == "Transformers" else None
                time.sleep(0.3)
                prompts = [
                    _prompt(turn * self.point.parallel + number, length) for number in range(self.point.parallel)
                ]
                answers = [*pool.map(self._ask, prompts), ahead.result() if ahead else True]
                assert all(answers)

    def _ask(self, prompt: str, answer: int = ANSWER) -> bool:
        messages = [{"role": "user", "content": prompt}]
        body = {"model": self.uid, "messages": messages, "max_tokens": answer, "temperature": 0.0}
        return bool(self._post("/v1/chat/completions", body)["choices"])

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        answer = requests.post(self.endpoint + path, json=body, timeout=START_S)
        if not answer.ok:
            raise RuntimeError(f"{self.point.name}: {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json() or {} if answer.content else {}


class _Gpu:
    """The most memory of GPU 0 that is in use while it is watched, over what was before; nothing else may use it."""

    def __enter__(self) -> _Gpu:
        self._nvml = _nvml()
        self._before = self._most = self._at_rest()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def peak(self) -> int:
        return self._most - self._before

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, self._used())

    def _at_rest(self) -> int:
        """What is in use once the process before has given back what it had."""
        readings = [self._used()]
        while len(set(readings[-5:])) > 1 or len(readings) < 5:
            time.sleep(0.2)
            readings.append(self._used())
        return readings[-1]

    def _used(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._nvml.nvmlDeviceGetHandleByIndex(0)).used)


def _nvml() -> ModuleType:
    """Nvidia's library, opened: what its command prints, a hundred times faster. Xinference brings it."""
    nvml = importlib.import_module("pynvml")
    nvml.nvmlInit()
    return nvml


# Each step of a process with PyTorch, and what it takes on top: the context, cuBLAS with its workspace, attention.
_BARE = """
import sys, torch
say = lambda name: (torch.cuda.is_initialized() and torch.cuda.synchronize(), print(name, flush=True), sys.stdin.readline())
say("torch imported")
if sys.argv[1] == "gpu":
    one = torch.zeros(1, device="cuda")
    say("context")
    square = torch.zeros(512, 512, device="cuda", dtype=torch.bfloat16)
    square @ square
    say("matrix product")
    torch.nn.functional.scaled_dot_product_attention(*3 * [square.view(1, 8, 512, 64)])
    say("attention")
    print(torch.cuda.memory_reserved(), flush=True)
    sys.stdin.readline()
import transformers
from transformers import Qwen2ForCausalLM
say("Transformers imported")
"""


def _bare(device: str) -> dict[str, object]:
    """Resident bytes, and those of the GPU, of a process with PyTorch, after each of its first steps."""
    steps: dict[str, object] = {}
    command = [sys.executable, "-c", _BARE, device]
    with (
        _Gpu() if device == "gpu" else contextlib.nullcontext() as gpu,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            time.sleep(0.2)
            resident = psutil.Process(process.pid).memory_info().rss
            if line.strip().isdigit():
                steps["PyTorch's own pool"] = int(line)
            else:
                steps[line.strip()] = {"resident": resident, **({"gpu": gpu.peak()} if gpu else {})}
            process.stdin.write("\n")
            process.stdin.flush()
    return {"bare": steps}


def _peak_of(process: psutil.Process) -> int:
    """The largest resident size it ever had, as Linux keeps it; 0 for one that is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def _prompt(number: int, length: int) -> str:
    """One token per character; no two have a beginning in common."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    start = f"{letters[number % 26]}{letters[number // 26 % 26]} "
    return start + "".join(" " if at % 6 == 0 else letters[(at * 7 + number) % 26] for at in range(length - len(start)))


def _row(one: Measured) -> str:
    told = f"{one.peak / MIB:7,.0f} MiB, estimated {one.estimated / MIB:7,.0f} ({one.error:+.1%})"
    parts = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in one.parts.items())
    host = f"host {one.host_peak / MIB:,.0f}, estimated {one.host_estimated / MIB:,.0f}"
    return f"{one.point.name:>45}: {told}, GPUStack's rule {one.gpustack / MIB:7,.0f}; {parts}; {host}"


def _results(found: list[Measured]) -> dict[str, object]:
    def mean(shares: Callable[[Measured], float]) -> float:
        return round(sum(map(shares, found)) / len(found), 4)

    return {
        "points": len(found),
        "mean_error_share": mean(lambda one: abs(one.error)),
        "mean_error_share_gpustack": mean(lambda one: abs(one.gpustack - one.peak) / one.peak),
        "worst_under_share": round(max(0.0, *(-one.error for one in found)), 4),
        "within_bound_share": mean(lambda one: one.within_bound),
        "host_worst_under_share": round(max(0.0, *(1 - one.host_estimated / one.host_peak for one in found)), 4),
        "measured": [
            {
                **asdict(one.point),
                "weights": one.weights,
                "peak": one.peak,
                "estimated": one.estimated,
                "estimated_parts": dict(one.parts),
                "gpustack": one.gpustack,
                "host_peak": one.host_peak,
                "host_estimated": one.host_estimated,
            }
            for one in found
        ],
    }


if __name__ == "__main__":
    main()
