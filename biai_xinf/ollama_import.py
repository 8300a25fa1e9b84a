"""What a model of Ollama's store becomes here: a spec of its own, with what is carried over and what cannot be.

Decides only; `imported` writes. The spec is like any other: `launch`, `apply`, `status` and `watch` know no difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from biai_xinf.catalogue import Catalogue, Entry
from biai_xinf.errors import BadFile, CannotImport
from biai_xinf.families import FAMILIES
from biai_xinf.gguf_file import POOLINGS, GgufFile, read_gguf
from biai_xinf.ollama_store import StoredModel, full_name
from biai_xinf.shapes import from_config
from biai_xinf.specs import MODEL_SPEC, EmbeddingSpec, ModelSpec, OllamaTag, SqlSpec
from biai_xinf.units import GIB

ImportRole = Literal["sql", "narrator", "chat", "embedding"]
# Whose prompt and probe a model takes that no spec of ours names.
_MODEL_OF_ROLE = {"sql": "sql-coder", "narrator": "narrator"}
# Ollama's own default is 4096 below 24 GiB of GPU memory (its docs/context-length.mdx), and it cuts what is longer
# without a word. Vanna fills up to 14,000 tokens.
CONTEXTS = (16384, 8192)
# The longest of BIAI's texts are descriptions of tables; a longer context makes llama.cpp's buffers larger for nothing.
EMBEDDING_CONTEXT = 2048
_PARALLEL = 2
# Of Xinference 4.1's list of families that may be asked with tools, those that write calls alike.
_FAMILIES_WITH_TOOLS = {"qwen2": "qwen2.5-instruct", "qwen3": "qwen3", "qwen3moe": "qwen3"}
_RANK = 4

# Ollama's parameter -> OpenAI's at the endpoint.
_CARRIED = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop",
    "num_predict": "max_tokens",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_SAMPLING = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
_CHATML = "<|im_start|>"
_QUESTION = "How many orders were cancelled last year?"


@dataclass(frozen=True)
class Import:
    """A model of the store as it will be served: its spec and registration, as they are written.

    `stands_for` is the spec of ours whose role, prompt and probe it takes, `because` why. `carried` and `lost` are
    sentences.
    """

    stored: StoredModel
    gguf: GgufFile
    spec: ModelSpec
    written: Mapping[str, Any]
    registration: Mapping[str, Any]
    stands_for: str | None
    because: str
    carried: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def uid(self) -> str:
        """The name it is served under."""
        return uid_of(self.stored.tag)

    @property
    def model_name(self) -> str:
        """Its name in Xinference, which tells its weights from other ones that the tag had before."""
        return str(self.registration["model_name"])


def plan_import(
    stored: StoredModel, catalogue: Catalogue, role: ImportRole | None = None, context: int | None = None
) -> Import:
    """What the model becomes; CannotImport says in one sentence why it cannot be served."""
    gguf = _read(stored)
    kin, because = _kin(stored.tag, catalogue)
    role, because = _role(stored, gguf, role, kin, because)
    if kin is not None and kin.spec.role != role:
        kin = None
    model = _Model(stored, gguf, role, kin, context)
    _refuse_without_template(model)
    source = kin or (catalogue[_MODEL_OF_ROLE[role]] if role in _MODEL_OF_ROLE else None)
    written = _spec(model, source)
    return Import(
        stored=stored,
        gguf=gguf,
        spec=MODEL_SPEC.validate_python(written),
        written=written,
        registration=_registration(model, written),
        stands_for=source.spec.name if source else None,
        because=because,
        carried=tuple(_carried(model, written)),
        lost=tuple(_lost(model)),
    )


def spec_name(tag: str) -> str:
    """The name of its spec: the tag, as a file may be called."""
    return re.sub(r"[^a-z0-9._-]+", "-", tag.lower()).lstrip("._-")[:80]


def uid_of(tag: str) -> str:
    """The uid it is served under: the tag, but for the `/` that no address of Xinference may have."""
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", tag).lstrip("._:-")[:100]


@dataclass(frozen=True)
class _Model:
    """What the spec is made of. `kin` is the spec of ours that it stands for."""

    stored: StoredModel
    gguf: GgufFile
    role: ImportRole
    kin: Entry | None
    context: int | None

    @property
    def name(self) -> str:
        return f"{spec_name(self.stored.tag)}-{self.stored.digest[:12]}"

    @property
    def trained(self) -> int | None:
        """The tokens it was trained for, as the file says."""
        value = self.gguf.config.get("max_position_embeddings")
        return value if isinstance(value, int) and value > 0 else None

    @property
    def asked(self) -> int | None:
        """The context that a person asked for, here or in Ollama."""
        told = self.stored.params.get("num_ctx")
        return self.context or (told if type(told) is int and told > 0 else None)

    @property
    def contexts(self) -> tuple[int, ...]:
        """Best first."""
        most = self.trained or CONTEXTS[-1]
        if self.asked:
            return (min(self.asked, self.trained or self.asked),)
        if self.role == "embedding":
            return (min(EMBEDDING_CONTEXT, most),)
        return tuple(context for context in CONTEXTS if context <= most) or (most,)

    @property
    def thinks(self) -> bool:
        """Whether its template can be told not to think aloud."""
        return "enable_thinking" in (self.gguf.template or "")

    @property
    def calls_tools(self) -> bool:
        """Whether its template writes tool calls as the families do that Xinference lets have tools."""
        return self.gguf.architecture in _FAMILIES_WITH_TOOLS and "<tool_call>" in (self.gguf.template or "")

    @property
    def their_registration(self) -> Mapping[str, Any]:
        """The registration of ours that tells of this model: where it is all that the spec's recipes load."""
        if self.kin is None or not names_tag(self.kin.spec, self.stored.tag):
            return {}
        registrations = list(self.kin.registrations.values())
        alike = all(one["model_name"] == registrations[0]["model_name"] for one in registrations)
        return registrations[0] if alike and len(registrations) == len(self.kin.spec.recipes) else {}


def names_tag(spec: ModelSpec, tag: str) -> bool:
    """Whether the spec says that Ollama clients may call it so."""
    return any(full_name(own) == full_name(tag) for own in spec.ollama_tags)


def _read(stored: StoredModel) -> GgufFile:
    tag = stored.tag
    try:
        gguf = read_gguf(stored.weights)
    except BadFile as error:
        what = error.message.removeprefix(f"{stored.weights}: ")
        raise CannotImport("damaged", f"`{tag}`: its GGUF file {what}", hint=error.hint) from error
    # Imported here: it brings numpy, and only who reads a GGUF file needs either.
    from gguf import MODEL_ARCH_NAMES

    if gguf.architecture not in MODEL_ARCH_NAMES.values():
        raise CannotImport(
            "architecture",
            f"`{tag}` has the architecture `{gguf.architecture}`, which llama.cpp does not know",
            hint="Ollama's own engine names some differently; a GGUF of the same model from a model hub may do",
        )
    if gguf.parts > 1:
        raise CannotImport("split", f"`{tag}` is one of {gguf.parts} parts of a model", hint="import the merged file")
    if gguf.sees:
        raise CannotImport(
            "vision",
            f"`{tag}` has its part for pictures in the same file, which only Ollama's engine loads",
            hint="a GGUF with a projector of its own (`mmproj`) is read as text",
        )
    return gguf


def _kin(tag: str, catalogue: Catalogue) -> tuple[Entry | None, str]:
    """The spec of ours that a tag means: by that very name, else by the model's name where only one spec has it."""
    entries = list(catalogue.values())
    exact = [entry for entry in entries if names_tag(entry.spec, tag)]
    if exact:
        return exact[0], f"`{exact[0].spec.name}` names this tag"
    model = full_name(tag).rpartition(":")[0]
    alike = [
        entry for entry in entries if model in {full_name(own).rpartition(":")[0] for own in entry.spec.ollama_tags}
    ]
    if len(alike) == 1:
        return alike[0], f"`{alike[0].spec.name}` names other tags of `{model}`"
    return None, "no spec of ours names it"


def _role(
    stored: StoredModel, gguf: GgufFile, asked: ImportRole | None, kin: Entry | None, because: str
) -> tuple[ImportRole, str]:
    tag, embeds = stored.tag, _embeds(gguf)
    if gguf.pooling == _RANK:
        hint = "`biai-xinf launch bge-reranker-v2-m3` launches one"
        raise CannotImport("reranker", f"`{tag}` is a reranker, which Ollama has no call for", hint=hint)
    if asked is not None and (asked == "embedding") != embeds:
        what = "makes vectors of texts" if embeds else "writes text"
        raise CannotImport("role", f"`{tag}` {what}, and cannot serve the role `{asked}`")
    if asked is not None:
        return asked, f"{because}; `--role` says so" if kin and kin.spec.role != asked else because
    if embeds:
        return "embedding", because
    if kin is not None and kin.spec.role in get_args(ImportRole):
        return kin.spec.role, because  # type: ignore[return-value]  # one of the four, as was just asked
    return "chat", because


def _refuse_without_template(model: _Model) -> None:
    """llama.cpp takes ChatML where a file brings no template, which is wrong for most, and says nothing."""
    if model.role == "embedding" or model.gguf.template or model.their_registration.get("chat_template"):
        return
    if _CHATML not in (model.stored.template or ""):
        raise CannotImport(
            "template",
            f"`{model.stored.tag}` has no chat template in its GGUF file, and Ollama's, in Go, cannot be carried",
            hint="a newer GGUF of it brings one",
        )


def _embeds(gguf: GgufFile) -> bool:
    family = FAMILIES.get(str(gguf.config["model_type"]))
    return bool(gguf.pooling) or "bert" in gguf.architecture or (family is not None and family.encoder)


# The spec


def _spec(model: _Model, source: Entry | None) -> dict[str, Any]:
    stored, kin = model.stored, model.kin
    exact = kin is not None and names_tag(kin.spec, stored.tag)
    tags = [stored.tag] if re.fullmatch(_tag_pattern(), stored.tag) else []
    spec: dict[str, Any] = {
        "name": spec_name(stored.tag),
        "role": model.role,
        "description": f"From Ollama's store: `{stored.tag}`.",
        "license": kin.spec.license if kin and exact else "as its publisher says",
    }
    if kin and kin.spec.languages:
        spec["languages"] = list(kin.spec.languages)
    if tags:
        spec["ollama_tags"] = tags
    spec["recipes"] = _recipes(model)
    if model.role == "embedding":
        return spec | _embedding(model)
    if defaults := _defaults(model, source):
        spec["defaults"] = defaults
    if source is None:
        return spec | {"probe": _CHAT_PROBE}
    parts = {"prompt", "probe"} if isinstance(source.spec, SqlSpec) else {"probe"}
    return spec | source.spec.model_dump(mode="json", include=parts, exclude_defaults=True)


_CHAT_PROBE = {"message": "What is the capital of France? Answer with one word.", "expect": ["paris"]}


def _tag_pattern() -> str:
    return str(get_args(OllamaTag)[1].pattern)


def _recipes(model: _Model) -> list[dict[str, Any]]:
    several = len(model.contexts) > 1
    return [
        {
            "name": f"{device}-{context}" if several else device,
            "requires": _requires(model, gpus, context),
            "model": _choice(model),
            "engine": "llama.cpp",
            "engine_options": _options(model, gpus, context),
            "registration": f"ollama/{model.name}/registration.json",
            "model_path": _model_path(model),
        }
        for device, gpus in (("gpu", 1), ("cpu", 0))
        for context in model.contexts
    ]


def _model_path(model: _Model) -> str:
    # Of an embedding model Xinference 4.1 takes the folder, and finds the file by its registration.
    folder = f"ollama/{model.name}"
    return folder if model.role == "embedding" else f"{folder}/{model.name}.gguf"


def _choice(model: _Model) -> dict[str, Any]:
    choice: dict[str, Any] = {"model_name": model.name, "model_format": "ggufv2"}
    if model.role != "embedding":
        choice["model_size_in_billions"] = _billions(model.gguf.parameters)
    return {**choice, "quantization": model.gguf.quantization}


def _billions(parameters: int) -> str:
    """As Xinference writes it: `7_6`, and `0_005` of a small one."""
    digits = 1 if parameters >= 10**9 else 3
    return f"{parameters / 1e9:.{digits}f}".replace(".", "_")


def _requires(model: _Model, gpus: int, context: int) -> dict[str, Any]:
    requires = {**({"gpus": gpus} if gpus else {}), "context": context, "parallel": _PARALLEL}
    try:
        from_config(model.gguf.config)
    except ValueError:
        # `needs` estimates the others from the file.
        return {**requires, ("vram" if gpus else "memory"): f"{_roughly(model, gpus, context)}B"}
    return requires


def _roughly(model: _Model, gpus: int, context: int) -> int:
    """Bytes at the most, of an architecture whose shape we do not know: full attention in every layer.

    On a CPU llama.cpp keeps some quantizations a second time.
    """
    config = model.gguf.config
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or 1
    width = config.get("head_dim") or config.get("hidden_size", 0) // (config.get("num_attention_heads") or 1)
    cache = 2 * 2 * config.get("num_hidden_layers", 0) * heads * width * context * _PARALLEL
    return int(model.stored.size * (1 if gpus else 2) + cache + 2 * GIB)


def _options(model: _Model, gpus: int, context: int) -> dict[str, Any]:
    if model.role == "embedding":
        # n_ctx is divided by n_parallel; n_ubatch is the longest text. Xinference 4.1 pools by the last token unless
        # told (xllamacpp 2026.10).
        sizes = {"n_parallel": _PARALLEL, "n_ctx": context * _PARALLEL, "n_batch": context, "n_ubatch": context}
        return {"pooling_type": _pooling(model), **sizes}
    # As `sql-coder` has it, measured there: without flash attention a warm question on a CPU is faster.
    options: dict[str, Any] = {} if gpus else {"flash_attn_type": 0}
    options["cache_ram_mib"] = 1024
    return options | ({"enable_thinking": False} if model.thinks else {})


def _pooling(model: _Model) -> int:
    if model.gguf.pooling in POOLINGS:
        return int(model.gguf.pooling or 0)
    told = model.kin.spec.pooling if model.kin and isinstance(model.kin.spec, EmbeddingSpec) else None
    found = next((number for number, name in POOLINGS.items() if name == told), None)
    if found is None:
        raise CannotImport(
            "pooling",
            f"`{model.stored.tag}` does not say how its vectors are pooled, so they would be wrong",
            hint="a newer GGUF of it says so",
        )
    return found


def _embedding(model: _Model) -> dict[str, Any]:
    dimensions = int(model.gguf.config["hidden_size"])
    told: dict[str, Any] = {"pooling": POOLINGS[_pooling(model)]}
    kin = model.kin.spec if model.kin else None
    if isinstance(kin, EmbeddingSpec):
        told |= kin.model_dump(mode="json", include={"query_prefix", "document_prefix"}, exclude_defaults=True)
        if kin.probe.dimensions == dimensions:
            return {**told, "probe": kin.probe.model_dump(mode="json", exclude_defaults=True)}
    # The first means the same, the second has the same form (measured in `nomic-embed-text`).
    similar = [_QUESTION, "Count of purchases that customers called off in the previous twelve months"]
    different = [_QUESTION, "How many seats were reserved last night?"]
    return {**told, "probe": {"dimensions": dimensions, "similar": similar, "different": different}}


def _defaults(model: _Model, source: Entry | None) -> dict[str, Any]:
    """What is asked where the client says nothing: SQL is asked as the role needs it, the rest as Ollama was told."""
    ours, theirs = (source.spec.defaults if source else {}), _carried_params(model)
    if model.role != "sql":
        return {**ours, **theirs}
    return {**{name: value for name, value in theirs.items() if name not in _SAMPLING}, **ours}


def _carried_params(model: _Model) -> dict[str, Any]:
    found = {}
    for name, ours in _CARRIED.items():
        value = model.stored.params.get(name)
        if name == "stop":
            value = [value] if isinstance(value, str) else value
            fit = isinstance(value, list) and bool(value) and all(type(text) is str and text for text in value)
        elif name in ("top_k", "seed", "num_predict"):
            # 0 and less are Ollama's words for no limit.
            fit = type(value) is int and (value > 0 or name == "seed")
        else:
            fit = type(value) in (int, float)
        if fit:
            found[ours] = value
    return found


# The registration


_OF_THEIRS = (
    "chat_template", "stop", "stop_token_ids", "model_family", "architectures", "model_ability", "tool_parser",
    "reasoning_start_tag", "reasoning_end_tag",
)  # fmt: skip


def _registration(model: _Model, written: Mapping[str, Any]) -> dict[str, Any]:
    one = {
        "model_format": "ggufv2",
        "model_hub": "huggingface",
        "quantization": model.gguf.quantization,
        "model_file_name_template": f"{model.name}.gguf",
    }
    head = {"version": 2, "model_name": model.name, "model_description": written["description"]}
    languages = written.get("languages") or ["en"]
    mark = {"biai": {"managed_by": "biai-xinf"}}
    if model.role == "embedding":
        sizes = {"dimensions": model.gguf.config["hidden_size"], "max_tokens": model.contexts[0]}
        return {**head, **sizes, "language": languages, "model_specs": [one], **mark}
    theirs = {key: model.their_registration[key] for key in _OF_THEIRS if key in model.their_registration}
    return {
        **head,
        "model_lang": languages,
        **(_family(model) | theirs),
        "context_length": model.contexts[0],
        "model_specs": [{**one, "model_size_in_billions": _billions(model.gguf.parameters)}],
        **mark,
    }


def _family(model: _Model) -> dict[str, Any]:
    """What Xinference decides by: who may have tools, and what is reasoning. The template is the one in the file."""
    family: dict[str, Any] = {"model_family": model.gguf.architecture, "model_ability": ["chat"], "chat_template": ""}
    if model.calls_tools:
        family |= {"model_family": _FAMILIES_WITH_TOOLS[model.gguf.architecture], "tool_parser": "qwen"}
        family["model_ability"] = [*family["model_ability"], "tools"]
    if model.thinks:
        family |= {"reasoning_start_tag": "<think>", "reasoning_end_tag": "</think>"}
        family["model_ability"] = [*family["model_ability"], "reasoning", "hybrid"]
    return family


# What is told to people


def _carried(model: _Model, written: Mapping[str, Any]) -> list[str]:
    told = [_context_told(model)]
    asked = [f"{name} {_short(value)}" for name, value in written.get("defaults", {}).items()]
    if asked:
        told.append(f"asked where a client says nothing: {', '.join(asked)}")
    if model.role == "embedding":
        told.append(f"pooled by {POOLINGS[_pooling(model)]}, {model.gguf.config['hidden_size']} dimensions")
    elif model.their_registration.get("chat_template"):
        told.append("chat template: that of our spec")
    elif model.gguf.template:
        told.append("chat template: the one in its GGUF file")
    else:
        told.append("chat template: its file has none, and Ollama's is ChatML, as llama.cpp's own is")
    return told


def _context_told(model: _Model) -> str:
    first = f"context {model.contexts[0]}"
    told = model.stored.params.get("num_ctx")
    if model.asked and model.asked > model.contexts[0]:
        return f"{first}, not {model.asked}: it was trained for no more"
    if model.context:
        return f"{first}, as you say"
    if told == model.contexts[0]:
        return f"{first}, its num_ctx"
    if model.role == "embedding":
        return f"{first}: the longest text"
    if model.contexts[0] < CONTEXTS[-1]:
        return f"{first}, all it was trained for"
    less = f", or {model.contexts[-1]} where memory is short" if len(model.contexts) > 1 else ""
    return f"{first}{less}: it sets no num_ctx, and Ollama's own 4096 would cut a long schema"


def _lost(model: _Model) -> list[str]:
    stored, lost = model.stored, []
    if stored.template and model.role != "embedding":
        lost.append("template: Ollama's is written in Go, which llama.cpp does not read")
    if stored.system:
        instead = "the prompt of the spec takes its place" if model.role == "sql" else "put it into your messages"
        lost.append(f"system prompt: the endpoint adds none; {instead}")
    if "projector" in stored.beside:
        lost.append("pictures: its projector is not loaded, so it reads text only")
    if "messages" in stored.beside:
        lost.append("example messages: put them before your own")
    able = model.calls_tools or "tools" in model.their_registration.get("model_ability", ())
    if "tools" in (model.gguf.template or "") and not able:
        lost.append("tool calls: Xinference 4.1 lets only families of its own list have them")
    return [*lost, *_lost_params(model)]


def _lost_params(model: _Model) -> list[str]:
    params, carried = model.stored.params, _carried_params(model)
    if model.role == "embedding":
        left = sorted(set(params) - {"num_ctx"})
        return [f"{', '.join(left)}: nothing to an embedding model"] if left else []
    lost = []
    sampled = [f"{name} {_short(params[name])}" for name in _SAMPLING if name in carried] if model.role == "sql" else []
    if sampled:
        lost.append(f"{', '.join(sampled)}: SQL is asked without chance")
    unheard = sorted(
        set(params)
        & {"repeat_penalty", "repeat_last_n", "min_p", "typical_p", "mirostat", "mirostat_eta", "mirostat_tau"}
    )
    if unheard:
        lost.append(f"{', '.join(unheard)}: Xinference 4.1 passes nothing of it to llama.cpp")
    known = {*unheard, "num_ctx", *(name for name, ours in _CARRIED.items() if ours in carried)}
    others = sorted(set(params) - known - set(_CARRIED))
    unmeant = sorted(set(params) - known - set(others))
    if unmeant:
        lost.append(f"{', '.join(f'{name} {_short(params[name])}' for name in unmeant)}: no value that an engine knows")
    if others:
        lost.append(f"{', '.join(others)}: the plan decides where and how it runs")
    return lost


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
