"""Real model servers for tests: each on a loopback port, with a model of a few kilobytes, to be killed and restarted.

llama.cpp and Xinference come with biai-xinf[server]. The others have environments of their own, named by variables:
BIAI_XINF_TEST_LITELLM    a folder; LiteLLM is installed there once (the benchmark's `--cache` will do)
BIAI_XINF_TEST_LLAMA_CPP  a Python with `llama-cpp-python[server]`
BIAI_XINF_TEST_VLLM       a Python with vLLM, for the machine's CPU or GPU
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import venv
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import psutil
import requests

from biai_xinf import local, ports
from biai_xinf.providers import Provider, find_provider
from biai_xinf.upstreams import Upstream, UpstreamServer
from tests.tiny_models import (
    embedding_family,
    llm_family,
    tiny_embedding_gguf,
    tiny_llm_folder,
    tiny_llm_gguf,
)

LITELLM = "litellm[proxy]==1.106.2"
CHAT, EMBEDDING = "tiny", "tiny-embedding"
ROOT = Path(__file__).parents[1]


class RealServer(ABC):
    """As a context manager it runs; `kill` ends it as a crash does, `start` brings it back at the same address.

    `chat` and `embedding` are its models, `checks_model` says whether it refuses a name that it does not know, and
    `long` is what makes its answer to a chat long and readable.
    """

    provider: ClassVar[str]
    chat: ClassVar[str | None] = CHAT
    embedding: ClassVar[str | None] = None
    checks_model: ClassVar[bool] = True
    long: ClassVar[Mapping[str, object]] = {}
    start_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot be tested here."""
        return None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it on `self.port`, with its models in `self.folder`."""

    def environ(self) -> Mapping[str, str]:
        """Its environment variables beside those of this process."""
        return {}

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    @property
    def known(self) -> Provider:
        return find_provider(self.provider)

    def upstream(self, model: str) -> Upstream:
        """An upstream named `sql` whose only server this is."""
        server = UpstreamServer(provider=self.provider, url=self.url, model=model)
        return Upstream(name="sql", servers=[server])

    def start(self) -> None:
        """Return as soon as it answers; AssertionError with the end of its log where it does not."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env={**_plain_environment(), **self.environ()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        deadline = time.monotonic() + self.start_s
        while not self.ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = (self.folder / "server.log").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{self.known.title} did not start:\n{said}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Whether it says that it lives, where its provider's file says that it does."""
        try:
            return requests.get(f"{self.url}{self.known.health or self.known.routes.models}", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """End it and everything it started, at once."""
        if self._process is None or self._process.poll() is not None:
            return
        parent = psutil.Process(self._process.pid)
        family = [parent, *parent.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=10)

    def __enter__(self) -> RealServer:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class LlamaCpp(RealServer):
    """llama.cpp's own server, as xllamacpp carries it."""

    provider = "llama.cpp"
    checks_model = False

    @classmethod
    def missing(cls) -> str | None:
        return None if importlib.util.find_spec("xllamacpp") else "needs biai-xinf[server]"

    def command(self) -> list[str]:
        return [*self._serving(str(tiny_llm_gguf(self.folder))), CHAT]

    def _serving(self, path: str) -> list[str]:
        return [sys.executable, str(ROOT / "tests" / "llama_cpp_server.py"), path, str(self.port)]


class LlamaCppEmbedding(LlamaCpp):
    """The same with an embedding model: it has one model per process."""

    chat, embedding = None, EMBEDDING

    def command(self) -> list[str]:
        return [*self._serving(str(tiny_embedding_gguf(self.folder))), EMBEDDING, "embedding"]


class Xinference(RealServer):
    """A second Xinference, without our extension, with a language model and an embedding model."""

    provider = "xinference"
    embedding = EMBEDDING
    start_s = 300.0

    @classmethod
    def missing(cls) -> str | None:
        return None if importlib.util.find_spec("xinference") else "needs biai-xinf[server]"

    def command(self) -> list[str]:
        where = ["local", "--host", ports.LOOPBACK, "--port", str(self.port)]
        return [sys.executable, "-m", "biai_xinf.local_server", "--stock", *where]

    def environ(self) -> Mapping[str, str]:
        homes = {"XINFERENCE_HOME": str(self.folder / "xinference"), "BIAI_XINF_HOME": str(self.folder / "biai")}
        own = {"PYTHONPATH": str(ROOT), "XINFERENCE_AUTH_ADVANCED": "0", "HF_HUB_OFFLINE": "1"}
        return {**local.SETTINGS, **homes, **own}

    def start(self) -> None:
        super().start()
        llm, embedding = tiny_llm_gguf(self.folder, terse=True), tiny_embedding_gguf(self.folder)
        self._launch("LLM", llm_family(CHAT, llm), model_path=str(llm), model_size_in_billions=1)
        self._launch("embedding", embedding_family(EMBEDDING, embedding), model_path=str(self.folder))

    def ready(self) -> bool:
        return ports.worker_joined(self.url)

    def _launch(self, model_type: str, family: dict[str, object], **options: object) -> None:
        registration = {"model": json.dumps(family), "persist": False}
        self._post(f"/v1/model_registrations/{model_type}", registration)
        names = {"model_uid": family["model_name"], "model_name": family["model_name"], "model_type": model_type}
        how = {"model_engine": "llama.cpp", "model_format": "ggufv2", "quantization": "f16", "n_gpu": None}
        self._post("/v1/models", {**names, **how, **options})

    def _post(self, path: str, body: Mapping[str, object]) -> None:
        answer = requests.post(self.url + path, json=body, timeout=self.start_s)
        assert answer.ok, answer.text


class LiteLlm(RealServer):
    """LiteLLM's proxy in front of two of llama.cpp's servers: `behind` is the one that chats."""

    provider = "litellm"
    embedding = EMBEDDING
    # Slower to compute, so that there is still something to break off when the first text has come through.
    long = {"logprobs": True, "top_logprobs": 20}
    start_s = 180.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.behind, self._embedder = LlamaCpp(folder), LlamaCppEmbedding(folder)

    @classmethod
    def missing(cls) -> str | None:
        if not os.environ.get("BIAI_XINF_TEST_LITELLM"):
            return "BIAI_XINF_TEST_LITELLM names no folder in which LiteLLM may be installed"
        return LlamaCpp.missing()

    def command(self) -> list[str]:
        models = [(CHAT, self.behind), (EMBEDDING, self._embedder)]
        listed = [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{name}", "api_base": f"{server.url}/v1", "api_key": "none"},
            }
            for name, server in models
        ]
        # JSON is YAML as well.
        configuration = self.folder / "litellm.yaml"
        configuration.write_text(json.dumps({"model_list": listed}), encoding="utf-8")
        options = ["--config", str(configuration), "--host", ports.LOOPBACK, "--port", str(self.port)]
        return [str(installed_litellm(Path(os.environ["BIAI_XINF_TEST_LITELLM"]))), *options]

    def environ(self) -> Mapping[str, str]:
        # Without authentication, and without a look at the internet for prices.
        return {
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
        }

    def __enter__(self) -> LiteLlm:
        try:
            self.behind.start()
            self._embedder.start()
            super().__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for kill in (self.kill, self.behind.kill, self._embedder.kill):
            kill()


class LlamaCppPython(RealServer):
    """llama-cpp-python's server."""

    provider = "llama-cpp-python"
    checks_model = False
    # It tries all that was said again and again while that ends within a letter, and these models speak in bytes.
    long = {"grammar": "root ::= [a-z]+"}

    @classmethod
    def missing(cls) -> str | None:
        return no_python("BIAI_XINF_TEST_LLAMA_CPP", "llama_cpp.server")

    def command(self) -> list[str]:
        return [*self._serving(str(tiny_llm_gguf(self.folder))), "--model_alias", CHAT, "--n_ctx", "2048"]

    def _serving(self, path: str) -> list[str]:
        python = os.environ["BIAI_XINF_TEST_LLAMA_CPP"]
        options = ["--host", ports.LOOPBACK, "--port", str(self.port), "--n_threads", "1"]
        return [python, "-m", "llama_cpp.server", "--model", path, *options]


class LlamaCppPythonEmbedding(LlamaCppPython):
    """The same with an embedding model."""

    chat, embedding = None, EMBEDDING

    def command(self) -> list[str]:
        path = str(tiny_embedding_gguf(self.folder))
        return [*self._serving(path), "--model_alias", EMBEDDING, "--embedding", "true", "--n_ctx", "512"]


class Vllm(RealServer):
    """vLLM's OpenAI server."""

    provider = "vllm"
    # It imports PyTorch in three processes.
    start_s = 400.0

    @classmethod
    def missing(cls) -> str | None:
        return no_python("BIAI_XINF_TEST_VLLM", "vllm")

    def command(self) -> list[str]:
        tools = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        return [*self._serving(CHAT), *tools]

    def _serving(self, name: str) -> list[str]:
        entry = [os.environ["BIAI_XINF_TEST_VLLM"], "-m", "vllm.entrypoints.openai.api_server"]
        where = ["--host", ports.LOOPBACK, "--port", str(self.port), "--served-model-name", name]
        small = ["--max-model-len", "2048", "--dtype", "float32", "--enforce-eager", "--max-num-seqs", "8"]
        return [*entry, "--model", str(tiny_llm_folder(self.folder)), *where, *small]

    def environ(self) -> Mapping[str, str]:
        return {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


class VllmEmbedding(Vllm):
    """The same model's last state as an embedding."""

    chat, embedding = None, EMBEDDING

    def command(self) -> list[str]:
        return [*self._serving(EMBEDDING), "--runner", "pooling", "--convert", "embed"]


def installed_litellm(cache: Path) -> Path:
    """LiteLLM's command in an environment of its own, made once."""
    home = cache / f"{LITELLM.replace('[proxy]==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    if not (home / "complete").exists():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", LITELLM], check=True, timeout=900)
        (home / "complete").touch()
    return home / "bin" / "litellm"


def no_python(variable: str, *modules: str) -> str | None:
    """Why the Python that a variable names will not do, which must have all these modules."""
    python = os.environ.get(variable)
    if not python:
        return f"{variable} names no Python that has {' and '.join(modules)}"
    look = "import importlib.util as u, sys; print(*(m for m in sys.argv[1:] if not u.find_spec(m)))"
    lacks = subprocess.run([python, "-c", look, *modules], capture_output=True, text=True, timeout=60, check=True)
    return f"{python} ({variable}) has no {' and no '.join(lacks.stdout.split())}" if lacks.stdout.strip() else None


def _plain_environment() -> dict[str, str]:
    """This process's environment without what concerns its own Xinference and Python."""
    ours = ("XINFERENCE_", "BIAI_XINF_", "PYTHONPATH", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        return int(listener.getsockname()[1])
