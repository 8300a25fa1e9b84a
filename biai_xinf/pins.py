"""The embedder pin: what made the vectors of a collection, kept so that no other model is ever asked about them.

Vectors of two models, or of two quantizations of one, lie in two spaces: a search across them finds something, and
nobody is told that it is the wrong thing. So what a collection was built with is kept in the collection itself, in
`pins.json` of our home for whoever plans and examines the cluster, and where a team shares a cluster file, in that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, TypeAdapter, ValidationError

from biai_xinf.errors import BadFile
from biai_xinf.gguf_file import POOLINGS, Pooling
from biai_xinf.home import home
from biai_xinf.locking import locked
from biai_xinf.replacing import replacing
from biai_xinf.strict import Strict

if TYPE_CHECKING:
    # Only named here: `status` starts faster without the specs.
    from biai_xinf.specs import EmbeddingSpec, Recipe

# Embedded as it stands, without a prefix; its vector is kept with the pin. What a server says of its weights cannot
# tell how it pools, and a server that is no Xinference says nothing.
SAMPLE_TEXT = "How many orders were cancelled last year? Ile zamówień anulowano w zeszłym roku?"
# Measured with all-MiniLM-L6-v2 (docs/embeddings.md): the same weights by another engine give 0.999999, in bfloat16
# 0.99996, as Q8_0 0.9997, as Q5_1 0.995, pooled otherwise less than 0.8. What a server says of its weights tells
# near quantizations apart.
SAME_VECTOR = 0.999
# To write the file takes milliseconds.
WAIT_S = 10.0


class EmbedderPin(Strict):
    """What decides where a text's vector lies; None is not told, and is not compared."""

    model_name: str = Field(min_length=1)
    model_format: str | None = None
    quantization: str | None = None
    pooling: Pooling | None = None
    dimensions: int = Field(gt=0)
    query_prefix: str = ""
    document_prefix: str = ""

    def __str__(self) -> str:
        return " ".join(part for name in _WEIGHTS if (part := getattr(self, name)))

    @property
    def described(self) -> str:
        """All of it that a person should see."""
        pooled = f", {self.pooling} pooling" if self.pooling else ""
        marked = f", documents marked {self.document_prefix!r}" if self.document_prefix else ""
        asked = f", questions {self.query_prefix!r}" if self.query_prefix else ""
        return f"{self}{pooled}{marked}{asked}"

    def differences(self, other: EmbedderPin) -> list[str]:
        """What of `other` is not as pinned, each as it is pinned and as it is there. Case does not count.

        The prefixes are the application's part: it goes on with those that are in the vectors.
        """
        found = []
        weights = [(getattr(self, name), getattr(other, name)) for name in _WEIGHTS]
        if any(_differ(*pair) for pair in weights):
            untold = ", of which no more is told" if any(pin and there is None for pin, there in weights) else ""
            found.append(f"{self}, not {other}{untold}")
        if _differ(self.pooling, other.pooling):
            found.append(f"{self.pooling} pooling, not {other.pooling or 'one that is not told'}")
        if self.dimensions != other.dimensions:
            found.append(f"{self.dimensions} dimensions, not {other.dimensions}")
        return found


_WEIGHTS = ("model_name", "model_format", "quantization")


def _differ(pinned: str | None, found: str | None) -> bool:
    return pinned is not None and (found is None or pinned.casefold() != found.casefold())


class Pinned(Strict):
    """A pin as it is kept: of which model of which endpoint, and which collections of which store rest on it.

    `store` is None where an application has used the model, and did not say where it keeps the vectors.
    """

    endpoint: str
    model_uid: str
    pin: EmbedderPin
    sample: str | None = None
    store: str | None = None
    collections: list[str] = []

    @property
    def whose(self) -> str:
        """Whose vectors are meant, for a sentence."""
        if not self.collections:
            return f"the vectors that an application has of `{self.model_uid}`"
        *others, last = (f"`{name}`" for name in self.collections)
        return f"the vectors of {', '.join(others)} and {last}" if others else f"the vectors of {last}"


def redo_command(uid: str, store: str | None = None) -> str:
    """What makes a store's vectors anew with a model that runs."""
    return f"biai-xinf embeddings redo {store or 'STORE'} --model {uid}"


def how_to_redo(uid: str, pinned: Iterable[Pinned]) -> str:
    """The commands that let vectors be another model's, as the end of a hint."""
    stores = list(dict.fromkeys(one.store for one in pinned))
    commands = " and ".join(f"`{redo_command(uid, store)}`" for store in stores)
    unsaid = f"; `biai-xinf embeddings release {uid}` where there are none left" if None in stores else ""
    return f"{commands} makes them anew{unsaid}"


def pin_of(spec: EmbeddingSpec, recipe: Recipe) -> EmbedderPin:
    """What a recipe's vectors would be pinned to; of a server that we do not run, only what its name tells."""
    upstream = getattr(recipe, "upstream", None)
    if upstream is not None:
        return pin_of_served(upstream.model, None, None, spec.probe.dimensions, spec)
    model, options = recipe.model, recipe.engine_options  # type: ignore[union-attr]  # an engine's, as just seen
    served = pin_of_served(model.model_name, model.model_format, model.quantization, spec.probe.dimensions, spec)
    pooling = POOLINGS.get(options.get("pooling_type", 0))
    return served if pooling is None else served.model_copy(update={"pooling": pooling})


def pin_of_served(
    model_name: str, model_format: str | None, quantization: str | None, dimensions: int, spec: EmbeddingSpec | None
) -> EmbedderPin:
    """What the vectors of a running model are pinned to: what its server says, and what its spec adds."""
    return EmbedderPin(
        model_name=model_name,
        model_format=model_format,
        quantization=quantization,
        pooling=spec.pooling if spec else None,
        dimensions=dimensions,
        query_prefix=spec.query_prefix if spec else "",
        document_prefix=spec.document_prefix if spec else "",
    )


class _Kept(Strict):
    version: Literal[1] = 1
    pins: list[Pinned] = []


_KEPT: TypeAdapter[_Kept] = TypeAdapter(_Kept)


def pins_file(environ: Mapping[str, str] | None = None) -> Path:
    """`pins.json` in our home."""
    return home(environ) / "pins.json"


def read_pins(endpoint: str | None = None) -> tuple[Pinned, ...]:
    """What is kept, of one endpoint or of all; BadFile if the file was damaged."""
    file = pins_file()
    try:
        kept = _KEPT.validate_json(file.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        hint = "mend it, or delete it: each application writes it again when it opens its store"
        raise BadFile(f"{file}: cannot be read as embedder pins", hint=hint) from error
    return tuple(pinned for pinned in kept.pins if endpoint in (None, pinned.endpoint))


def keep_pin(pinned: Pinned) -> None:
    """Keep a pin: its collections rest on it from now on, and on nothing that they rested on before.

    An application that said nothing of its store is taken to be the one that says so now. What others keep at the same
    time is kept too. BadFile if the file was damaged or others do not let go of it, OSError where it cannot be written.
    """
    with _alone():
        _write(_with(pinned, read_pins()))


def release_pins(endpoint: str, uid: str) -> tuple[Pinned, ...]:
    """Forget what rests on a model; what was forgotten. Raises as `keep_pin` does."""
    if not _resting(read_pins(), endpoint, uid):
        return ()
    with _alone():
        kept = read_pins()
        released = _resting(kept, endpoint, uid)
        _write(one for one in kept if one not in released)
    return released


def _resting(pins: Iterable[Pinned], endpoint: str, uid: str) -> tuple[Pinned, ...]:
    return tuple(one for one in pins if (one.endpoint, one.model_uid) == (endpoint, uid))


def _with(pinned: Pinned, kept: Iterable[Pinned]) -> list[Pinned]:
    others, collections = [], set(pinned.collections)
    for one in kept:
        if one.store is None and (one.endpoint, one.model_uid) == (pinned.endpoint, pinned.model_uid):
            continue
        if one.store != pinned.store:
            others.append(one)
        elif _rests_on(one, pinned):
            collections |= {*one.collections}
        elif left := [name for name in one.collections if name not in pinned.collections]:
            others.append(one.model_copy(update={"collections": left}))
    return [*others, pinned.model_copy(update={"collections": sorted(collections)})]


def _rests_on(one: Pinned, other: Pinned) -> bool:
    return (one.endpoint, one.model_uid, one.pin) == (other.endpoint, other.model_uid, other.pin)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """While nobody else reads the file in order to write it: of two who do at once, one would lose what it kept."""
    file = pins_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(file.with_suffix(".lock"), time.monotonic() + WAIT_S))
        except TimeoutError as error:
            hint = "end the process that hangs while it writes there, and try again"
            raise BadFile(f"{file}: another process has held it for {WAIT_S:g} s", hint=hint) from error
        yield


def _write(pins: Iterable[Pinned]) -> None:
    with replacing(pins_file()) as stream:
        stream.write(_Kept(pins=list(pins)).model_dump_json(indent=2).encode())
