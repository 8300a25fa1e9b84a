from pathlib import Path

import pytest

# Fixtures for every folder of tests: one real server serves them all.
from tests.guarded_endpoint import guarded_endpoint  # noqa: F401
from tests.xinference_fixtures import real_xinference, real_xinference_with_auth  # noqa: F401


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
