from pathlib import Path

import pytest
from hypothesis import settings

# Fixtures for every folder of tests: one real server serves them all.
from tests.guarded_endpoint import guarded_endpoint  # noqa: F401
from tests.postgres import postgres  # noqa: F401
from tests.xinference_fixtures import real_xinference, real_xinference_with_auth  # noqa: F401

# A run of the same tests tries the same examples, so that what a change is judged by does not depend on luck;
# `pytest --hypothesis-profile=explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.register_profile("explore", print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees, or touches, what belongs to the user who runs it; the value is our home for this test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BIAI_XINF_HOME", str(home))
    for name in ("ENDPOINT", "SPECS", "API_KEY", "USERNAME", "PASSWORD", "SUPERVISOR", "HOST"):
        monkeypatch.delenv(f"BIAI_XINF_{name}", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return home
