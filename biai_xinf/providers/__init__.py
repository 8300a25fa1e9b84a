"""Providers: what each kind of model server wants of a client, one YAML file each, every fact with its source.

A fact nobody could confirm is left out, and then a request goes to that server as the client wrote it.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter

from biai_xinf import yamlfile
from biai_xinf.errors import BadFile, UnknownName
from biai_xinf.providers.dialect import for_provider as for_provider
from biai_xinf.providers.provider import GENERIC as GENERIC
from biai_xinf.providers.provider import Auth as Auth
from biai_xinf.providers.provider import Provider as Provider
from biai_xinf.providers.provider import Routes as Routes

# Projects that load models but serve nothing, and what serves the same weights.
NOT_SERVERS: Mapping[str, str] = MappingProxyType(
    {
        # https://github.com/marella/ctransformers (seen 2026-11-22)
        "ctransformers": "it is a Python library around GGML without a server: serve the model's GGUF file with "
        "`llama.cpp`, or launch it with Xinference's llama.cpp engine",
        # https://github.com/huggingface/transformers/pull/41567 (seen 2026-11-22)
        "AutoGPTQ": "it is a library that quantizes models and has no server, deprecated in Transformers for "
        "GPTQModel: serve GPTQ weights with `vllm` or `sglang`, or launch them with Xinference's vLLM engine",
        # https://github.com/casper-hansen/AutoAWQ (seen 2026-11-22)
        "AutoAWQ": "it is a library that quantizes models and has no server, deprecated in favour of vLLM's "
        "llm-compressor: serve AWQ weights with `vllm` or `sglang`, or launch them with Xinference's vLLM engine",
    }
)


@functools.cache
def load_providers() -> Mapping[str, Provider]:
    """Every provider by name, in alphabetical order; BadFile says which line of which file is wrong."""
    files = sorted(Path(__file__).parent.glob("*.yaml"), key=lambda file: file.stem)
    return MappingProxyType({provider.name: provider for provider in map(load_provider, files)})


def load_provider(path: Path) -> Provider:
    """One provider's file."""
    provider = yamlfile.load(path, _PROVIDER)
    if provider.name != path.stem:
        raise BadFile(f"{path}: name: `{provider.name}` must equal the file's name, `{path.stem}`")
    return provider


def find_provider(name: str) -> Provider:
    """The provider of that name; UnknownName lists the ones there are, or says what to use instead."""
    providers = load_providers()
    if name in providers:
        return providers[name]
    for library, instead in NOT_SERVERS.items():
        if name.lower() == library.lower():
            raise UnknownName(f"`{library}` cannot be an upstream: {instead}")
    close = difflib.get_close_matches(name.lower(), providers, n=1, cutoff=0.6)
    meant = f"did you mean `{close[0]}`? " if close else ""
    hint = f"{meant}there are {', '.join(providers)}; any other OpenAI-compatible server is `{GENERIC}`"
    raise UnknownName(f"no provider is named `{name}`", hint=hint)


_PROVIDER: TypeAdapter[Provider] = TypeAdapter(Provider)
