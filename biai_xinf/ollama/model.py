"""What a model of Ollama's store is, as its spec and its registration need it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from biai_xinf.catalogue import Entry
from biai_xinf.errors import CannotImport
from biai_xinf.gguf_file import POOLINGS, GgufFile
from biai_xinf.ollama.store import StoredModel, full_name
from biai_xinf.specs import EmbeddingSpec, ModelSpec

ImportRole = Literal["sql", "narrator", "chat", "embedding"]
# Ollama's own default is 4096 below 24 GiB of GPU memory (its docs/context-length.mdx), and it cuts what is longer
# without a word. Vanna fills up to 14,000 tokens.
CONTEXTS = (16384, 8192)
# The longest of BIAI's texts are descriptions of tables; a longer context makes llama.cpp's buffers larger for nothing.
EMBEDDING_CONTEXT = 2048
# Of Xinference 4.1's list of families that may be asked with tools, those that write calls alike.
_FAMILIES_WITH_TOOLS = {"qwen2": "qwen2.5-instruct", "qwen3": "qwen3", "qwen3moe": "qwen3"}


def spec_name(tag: str) -> str:
    """The name of its spec: the tag, as a file may be called. Two tags may have the same."""
    return _cut(re.sub(r"[^a-z0-9._-]+", "-", tag.lower()).lstrip("._-"), 80, tag)


def uid_of(tag: str) -> str:
    """The uid it is served under: the tag, but for the `/` that no address of Xinference may have."""
    return _cut(re.sub(r"[^A-Za-z0-9._:-]+", "-", tag).lstrip("._:-"), 100, tag)


def _cut(name: str, longest: int, tag: str) -> str:
    """Quantizations of one long name differ at its end only, so a name that is cut ends in a hash of its tag."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9]}-{hashlib.sha256(full_name(tag).encode()).hexdigest()[:8]}"


def names_tag(spec: ModelSpec, tag: str) -> bool:
    """Whether the spec says that Ollama clients may call it so."""
    return any(full_name(own) == full_name(tag) for own in spec.ollama_tags)


@dataclass(frozen=True)
class Model:
    """What the spec is made of.

    `kin` is the spec of ours that it is or is like, `source` the one whose prompt and probe it takes, `because` why.
    `context` is in tokens, as a person asked for it here.
    """

    stored: StoredModel
    gguf: GgufFile
    role: ImportRole
    kin: Entry | None
    source: Entry | None
    because: str
    context: int | None

    @property
    def name(self) -> str:
        """Its name in Xinference, which tells its weights from other ones that the tag had before."""
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
    def tools_family(self) -> str | None:
        """The family by which Xinference lets it have tools, where its template writes calls as that one's does."""
        writes_calls = "<tool_call>" in (self.gguf.template or "")
        return _FAMILIES_WITH_TOOLS.get(self.gguf.architecture) if writes_calls else None

    @property
    def pooling(self) -> int:
        """llama.cpp's number; CannotImport where neither the file nor a spec of ours says it."""
        if self.gguf.pooling in POOLINGS:
            return int(self.gguf.pooling or 0)
        told = self.kin.spec.pooling if self.kin and isinstance(self.kin.spec, EmbeddingSpec) else None
        found = next((number for number, name in POOLINGS.items() if name == told), None)
        if found is None:
            raise CannotImport(
                "pooling",
                f"`{self.stored.tag}` does not say how its vectors are pooled, so they would be wrong",
                hint="a newer GGUF of it says so",
            )
        return found

    @property
    def billions(self) -> str:
        """Its size as Xinference writes it: `7_6`, and `0_005` of a small one."""
        digits = 1 if self.gguf.parameters >= 10**9 else 3
        return f"{self.gguf.parameters / 1e9:.{digits}f}".replace(".", "_")

    @property
    def their_registration(self) -> Mapping[str, Any]:
        """The registration of ours that tells of this model: where it is all that the spec's recipes load."""
        if self.kin is None or not names_tag(self.kin.spec, self.stored.tag):
            return {}
        registrations = list(self.kin.registrations.values())
        alike = all(one["model_name"] == registrations[0]["model_name"] for one in registrations)
        return registrations[0] if alike and len(registrations) == len(self.kin.spec.recipes) else {}
