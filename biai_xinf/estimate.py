"""How much memory a launch will take, before it is made: so that no plan counts on bytes that an engine will want.

Everything is computed from the model's shape, the size of its files and the options of the launch. Constants say where
they were read or measured; `bench/memory.py` holds the sums against real engines. Of those of GPUs some were measured
on one card, the others were read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biai_xinf.memory import Need
from biai_xinf.quantization import dtype_bytes, file_size, repacked_size
from biai_xinf.shapes import Shape
from biai_xinf.units import GIB, MIB


@dataclass(frozen=True)
class Part:
    """Bytes on one device, by what they are for; `process` is what the engine takes before it has loaded anything."""

    weights: int = 0
    cache: int = 0
    buffers: int = 0
    process: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.buffers + self.process


@dataclass(frozen=True)
class Estimate:
    """What one replica takes: of the host's memory, and of each of its `gpus`."""

    host: Part
    device: Part = Part()
    gpus: int = 0

    @property
    def weights(self) -> int:
        """Of host and GPUs together, as are the other three."""
        return self.host.weights + self.gpus * self.device.weights

    @property
    def cache(self) -> int:
        return self.host.cache + self.gpus * self.device.cache

    @property
    def buffers(self) -> int:
        return self.host.buffers + self.gpus * self.device.buffers

    @property
    def process(self) -> int:
        return self.host.process + self.gpus * self.device.process

    @property
    def need(self) -> Need:
        """As the ledger books it."""
        return Need(memory=self.host.total, gpus=self.gpus, vram=self.device.total if self.gpus else 0)


def estimate(
    shape: Shape,
    *,
    weights: int | None,
    model_format: str,
    quantization: str,
    engine: str,
    context: int,
    parallel: int,
    options: Mapping[str, Any],
    gpus: int,
) -> Estimate:
    """What a replica will take at its peak when `parallel` requests fill a context of `context` tokens each.

    `weights` are the bytes of the files, None where nobody told; `options` are those of the launch, as Xinference's
    engines name them. 0 `gpus` is a launch on the CPU. ValueError where a quantization is not known to us.
    """
    files = weights if weights is not None else file_size(shape, model_format, quantization)
    launch = Launch(shape, files, model_format, quantization, context, parallel, options, gpus)
    if engine == "llama.cpp":
        return _on_llama_cpp(launch)
    if engine in ("vLLM", "vllm", "SGLang"):
        return _on_paged(launch, engine)
    return _on_torch(launch, engine)


def cache_per_token(shape: Shape, bytes_per_value: float = 2.0) -> float:
    """Bytes one token of one request takes in all layers whose cache grows with the context."""
    return shape.full_layers * _values_per_layer(shape) * bytes_per_value


@dataclass(frozen=True)
class Launch:
    """What a launch is computed from."""

    shape: Shape
    files: int
    model_format: str
    quantization: str
    context: int
    parallel: int
    options: Mapping[str, Any]
    gpus: int

    def told(self, option: str, otherwise: int) -> int:
        """A number among the options; what is no number is as good as not told."""
        value = self.options.get(option)
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


# ggml's numbers of types, as `cache_type_k` and `cache_type_v` take them -> bytes per value.
_CACHE_TYPES = {0: 4.0, 1: 2.0, 2: 18 / 32, 3: 20 / 32, 6: 22 / 32, 7: 24 / 32, 8: 34 / 32, 20: 18 / 32, 30: 2.0}
# Defaults of llama.cpp's `common_params`, which Xinference 4.1 leaves alone.
_UBATCH, _BATCH, _PROMPT_CACHE_MIB, _CHECKPOINT_STEP = 512, 2048, 8192, 8192
# Xinference's model process with xllamacpp 2026.10, before the model: measured by `bench/memory.py`.
_LLAMA_CPP_PROCESS = 575 * MIB
# A token of the vocabulary with its text, its hash and its merge: 38 MiB of heap for 151,936 tokens, measured.
_BYTES_PER_TOKEN_OF_VOCABULARY = 262
# Scratch of matrix products, samplers and HTTP after the first requests: measured, 24 MiB at an n_ubatch of 512 and 54
# at 2048.
_LLAMA_CPP_SCRATCH = 24 * MIB


def _on_llama_cpp(launch: Launch) -> Estimate:
    shape, options = launch.shape, launch.options
    slots = launch.told("n_parallel", launch.parallel)
    per_slot = _padded(launch.told("n_ctx", 0) // slots or launch.told("context_length", launch.context))
    ubatch = min(launch.told("n_ubatch", _UBATCH), launch.told("n_batch", _BATCH), slots * per_slot)
    cache = _llama_cpp_cache(launch, slots, per_slot, ubatch)
    compute = _llama_cpp_compute(shape, ubatch, per_slot, flash=options.get("flash_attn_type", -1) != 0)
    heap = _BYTES_PER_TOKEN_OF_VOCABULARY * shape.vocab + _LLAMA_CPP_SCRATCH * max(1, ubatch // 1024)
    outputs = slots * shape.vocab * 4
    on_host = heap + outputs + _llama_cpp_kept(launch, slots, per_slot)
    if launch.gpus == 0:
        # Files are mapped, and all their pages are touched; what is repacked lies in memory a second time.
        return Estimate(Part(launch.files + _repacked(launch), cache, compute + on_host, _LLAMA_CPP_PROCESS))
    # Input embeddings stay with the CPU. A tied matrix is multiplied as well, and so lies on both sides.
    embeddings = min(launch.files, shape.vocab * shape.hidden * launch.files // shape.parameters)
    uploaded = launch.files - (0 if shape.tied else embeddings)
    device = Part(_split(uploaded, launch), _split(cache, launch), compute, _CUDA_CONTEXT)
    return Estimate(Part(embeddings, 0, on_host, _LLAMA_CPP_PROCESS), device, launch.gpus)


def _llama_cpp_cache(launch: Launch, slots: int, per_slot: int, ubatch: int) -> int:
    """All of it is taken at the start. Layers with a window keep it and one batch."""
    shape = launch.shape
    if shape.kind == "encoder":
        return 0
    window = min(per_slot, _padded((shape.window or 0) + ubatch))
    cells = slots * (shape.full_layers * per_slot + shape.window_layers * window)
    return round(cells * _llama_cpp_cell(launch)) + slots * _state(shape)


def _llama_cpp_kept(launch: Launch, slots: int, per_slot: int) -> int:
    """Copies in the host's memory: prompts of before, up to a limit, and what windows and states cannot roll back to.

    Of the latter we saw two per slot; more are made in long prompts.
    """
    shape = launch.shape
    if shape.kind == "encoder":
        return 0
    checkpoint = round(shape.window_layers * (shape.window or 0) * _llama_cpp_cell(launch)) + _state(shape)
    checkpoints = slots * (2 + per_slot // _CHECKPOINT_STEP) * checkpoint
    # Only prompts of answers in text are kept. -1 is no limit: then the default is a guess as good as any.
    if "pooling_type" in launch.options:
        return checkpoints
    limit = launch.told("cache_ram_mib", _PROMPT_CACHE_MIB)
    return checkpoints + (limit if limit >= 0 else _PROMPT_CACHE_MIB) * MIB


def _llama_cpp_cell(launch: Launch) -> float:
    """Bytes of one token in one layer."""
    shape = launch.shape
    key, value = (_CACHE_TYPES.get(launch.told(f"cache_type_{name}", 1), 2.0) for name in "kv")
    if shape.latent:
        return _values_per_layer(shape) * key
    return shape.kv_heads * (shape.key_dim * key + shape.value_dim * value)


def _repacked(launch: Launch) -> int:
    if launch.options.get("no_extra_bufts"):
        return 0
    try:
        return repacked_size(launch.shape, launch.quantization)
    except ValueError:
        # Of a mix that is not known to us any part may be repacked.
        return launch.files


def _llama_cpp_compute(shape: Shape, ubatch: int, per_slot: int, *, flash: bool) -> int:
    """The buffer of intermediate results: a batch in the widest layer, and the mask of attention.

    Fitted to what llama.cpp logs as `compute buffer size`: 30.02 MiB for Qwen3-0.6B at 2 x 2048 tokens, 24.02 for 16
    experts of 512, 33.03 for a window, 120.15 at four times the batch.
    """
    width = 4 * _active_feed_forward(shape) + 3 * shape.hidden
    cells = per_slot if shape.kind == "decoder" else ubatch
    attention = cells * 2 if flash else cells * (4 + 2 * 4 * shape.heads)
    return ubatch * (width * 4 + attention)


# What lies on a GPU before any weight: CUDA's context, and what a first matrix product and attention of PyTorch load
# besides (`bench/memory.py --bare --device gpu` on an H200, driver 580.159, PyTorch 2.11). A process with llama.cpp
# alone took 527 there (total less free of `xllamacpp.get_device_info()`), which leaves 94 for the kernels it loads with
# its first batch: those are not measured by us.
_CUDA_CONTEXT, _CUDA_TORCH = 621 * MIB, 72 * MIB
# `non_torch_memory` in logs of vLLM: 0.30 GiB (L40S, vllm issue 15815), 0.33 (RTX 5090, issue 14452).
_NOT_TORCH = 338 * MIB
# Per captured size: 1.62 GiB for 51 + 35 of them (vllm pull request 39559), 0.36 for 16 (gpustack/runner 251).
_CUDA_GRAPH = 23 * MIB
# Batch sizes that vLLM captures unless told otherwise (`VllmConfig._set_cudagraph_sizes`, 0.32).
_CAPTURED = [1, 2, 4, *range(8, 256, 8), *range(256, 513, 16)]
# The prefill graphs SGLang 0.5.19 captures by default, as a user measured (1.81 GB).
_SGLANG_PREFILL_GRAPHS = 1_810_000_000
# vLLM 0.32 on the CPU, fitted to two measured points: 720 MiB of the process that Xinference starts and 643 of the
# engine's core, then one worker of 866; each imports PyTorch. Of CUDA's libraries in a worker 332 MiB
# are PyTorch's (`bench/memory.py --bare`); vLLM's own are not measured by us.
_PAGED_FRONT, _PAGED_WORKER, _CUDA_LIBRARIES = 1363 * MIB, 866 * MIB, GIB
# Of the tokenizer in the first of them, between vocabularies of 49,152 and 151,936 tokens.
_PAGED_PER_TOKEN_OF_VOCABULARY = 1980


def _on_paged(launch: Launch, engine: str) -> Estimate:
    """vLLM and SGLang: they take the cache at the start, and compute in steps of a set number of tokens."""
    shape, options = launch.shape, launch.options
    wide = options.get("dtype") == "float32"
    width = 4 if wide else 2
    told = str(options.get("kv_cache_dtype", "auto"))
    per_value = 1 if told.startswith(("fp8", "int8")) else width
    weights = _loaded(launch, width)
    step = launch.told("max_num_batched_tokens", launch.told("chunked_prefill_size", _STEP[engine]))
    cache = 0 if shape.kind == "encoder" else _paged_cache(launch, per_value, step)
    sharded = max(launch.gpus, 1)
    activations = step * (3 * _active_feed_forward(shape) // sharded + 4 * shape.hidden) * width
    front = _PAGED_FRONT + _PAGED_PER_TOKEN_OF_VOCABULARY * shape.vocab
    if not launch.gpus:
        # The CPU's kernels have plain matrices packed in an order of their own, and the others are kept.
        plain = launch.model_format == "pytorch" and launch.quantization == "none"
        packed = weights * (shape.parameters - shape.embedding_parameters) // shape.parameters if plain else 0
        sampling = _sampling(shape, launch.parallel)
        return Estimate(Part(weights + packed, cache, activations + sampling, front + _PAGED_WORKER))
    sequences = launch.told("max_num_seqs", launch.told("max_running_requests", _SEQUENCES))
    graphs = _graphs(options, engine, sequences)
    device = Part(
        _split(weights, launch),
        _split(cache, launch, most=shape.kv_heads),
        activations + _sampling(shape, min(sequences, step)) + graphs,
        _CUDA_CONTEXT + _NOT_TORCH,
    )
    host = Part(process=front + launch.gpus * (_PAGED_WORKER + _CUDA_LIBRARIES))
    return Estimate(host, device, launch.gpus)


# Tokens of one step: vLLM's `SchedulerConfig.DEFAULT_MAX_NUM_BATCHED_TOKENS`, SGLang's most for smaller GPUs.
_STEP = {"vLLM": 2048, "vllm": 2048, "SGLang": 8192}


# What Xinference 4.1 gives vLLM as `max_num_seqs`; before it serves, it samples for as many.
_SEQUENCES = 256


def _sampling(shape: Shape, sequences: int) -> int:
    """Logits as they come, in 32 bits, sorted, with their places, and what is made of them: 24 bytes each."""
    return sequences * shape.vocab * 24 if shape.kind == "decoder" else 0


def _paged_cache(launch: Launch, per_value: float, step: int) -> int:
    shape = launch.shape
    # In pages of 16 tokens.
    tokens = -(-launch.context // 16) * 16
    windowed = min(tokens, (shape.window or 0) + step)
    per_request = shape.full_layers * tokens + shape.window_layers * windowed
    return round(launch.parallel * (per_request * _values_per_layer(shape) * per_value + _state(shape)))


def _graphs(options: Mapping[str, Any], engine: str, sequences: int) -> int:
    if options.get("enforce_eager") or options.get("disable_cuda_graph"):
        return 0
    if engine == "SGLang":
        return _SGLANG_PREFILL_GRAPHS + bisect_right(_CAPTURED, sequences) * _CUDA_GRAPH
    piecewise = bisect_right(_CAPTURED, min(2 * sequences, _CAPTURED[-1]))
    return (piecewise + bisect_right(_CAPTURED, sequences)) * _CUDA_GRAPH


# Xinference's model process with PyTorch's CPU build and Transformers 5: 714 MiB of two measured points are neither
# weights nor anything that grows.
_TORCH_PROCESS = 715 * MIB
# The build for CUDA, with its context and libraries: a process with Transformers and no model takes 1,125 MiB beside a
# GPU (`bench/memory.py --bare`). One with 942 MiB of weights was 2,289 MiB large at its peak: we take the difference
# for mapped pages of their file, which Linux takes back when it needs them, but did not measure them apart.
_TORCH_CUDA_PROCESS = _TORCH_PROCESS + GIB


def _on_torch(launch: Launch, engine: str) -> Estimate:
    """Transformers, MLX and what runs encoders: everything grows with the requests that are there."""
    shape = launch.shape
    asked = launch.options.get("torch_dtype")
    width = dtype_bytes(str(asked)) if asked else (2 if launch.gpus or engine == "MLX" else 4)
    weights = _loaded(launch, width)
    together = min(launch.parallel, launch.told("max_num_seqs", 16))
    tokens = together * launch.context
    cache = logits = 0
    if shape.kind == "decoder":
        windowed = min(launch.context, shape.window or 0)
        cells = shape.full_layers * launch.context + shape.window_layers * windowed
        cache = together * (cells * _values_per_layer(shape) * width + _state(shape))
        # Prompts that come together are computed together, and Xinference asks for the logits of every token.
        logits = tokens * shape.vocab * width
    activations = tokens * (3 * _active_feed_forward(shape) + 4 * shape.hidden) * width
    # When requests join others all get a new cache; the old ones, and those padded to one length, are still there.
    buffers = activations + logits + 2 * cache
    if not launch.gpus:
        # While weights are converted, those of the files are in memory as well.
        converted = launch.files if weights != launch.files else 0
        return Estimate(Part(weights, cache, max(buffers, converted - cache), _TORCH_PROCESS))
    device = Part(_split(weights, launch), _split(cache, launch), buffers, _CUDA_CONTEXT + _CUDA_TORCH)
    return Estimate(Part(process=_TORCH_CUDA_PROCESS), device, launch.gpus)


def _loaded(launch: Launch, width: int) -> int:
    """Bytes of the weights once they are loaded: those of plain formats get the width of the computation."""
    if launch.model_format != "pytorch" or launch.quantization != "none":
        return launch.files
    return round(launch.files * width / dtype_bytes(launch.shape.dtype))


def _active_feed_forward(shape: Shape) -> int:
    """Width of what one token makes of the widest layer."""
    experts = shape.experts
    return max(shape.feed_forward, experts.used * experts.feed_forward + experts.shared_feed_forward if experts else 0)


def _values_per_layer(shape: Shape) -> int:
    """Of one token in one layer's cache."""
    if shape.latent:
        return shape.latent.rank + shape.latent.rope_dim
    return shape.kv_heads * (shape.key_dim + shape.value_dim)


def _state(shape: Shape) -> int:
    """Of one request in the layers that keep a state of one size."""
    return shape.recurrent.bytes_per_sequence if shape.recurrent else 0


def _split(size: int, launch: Launch, most: int | None = None) -> int:
    """The share of one GPU; what has only `most` parts is kept by several."""
    return -(-size // min(launch.gpus, most or launch.gpus))


def _padded(tokens: int) -> int:
    # llama.cpp rounds the cells of a cache up to this.
    return -(-tokens // 256) * 256
