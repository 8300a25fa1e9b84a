"""A real Xinference that serves an application what it needs: the bundled SQL model and an embedder, on llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import minilm
from tests.commandline import run
from tests.xinference_fixtures import RealXinference

EMBEDDER = "minilm"


@pytest.fixture(scope="module")
def application_environment(
    real_xinference: RealXinference, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The variables of an application whose endpoint serves both models, each launched and proved."""
    if missing := minilm.missing():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("application")
    environ = {
        "BIAI_XINF_ENDPOINT": real_xinference.endpoint,
        "BIAI_XINF_HOME": str(folder / "home"),
        "BIAI_XINF_SPECS": str(minilm.minilm_spec(folder, EMBEDDER)),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environ, "HF_HUB_OFFLINE": "1"}.items():
            patch.setenv(name, value)
        for words in (["sql-coder", "--recipe", "bundled"], [EMBEDDER]):
            result = run("--endpoint", real_xinference.endpoint, "launch", *words)
            assert result.exit_code == 0, result.stderr
        yield {**environ, "ANONYMIZED_TELEMETRY": "False"}
        for uid in ("sql-coder", EMBEDDER):
            run("--endpoint", real_xinference.endpoint, "stop", uid)
