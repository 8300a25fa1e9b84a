"""What a person sees of a launch that loads weights down."""

from __future__ import annotations

from biai_xinf.execute import _bytes_of
from biai_xinf.wire import Progress


def test_bytes_are_added_up_over_files_and_replicas() -> None:
    # As Xinference 4.1.0 tells them (`model/utils.py`, get_download_progress_details).
    files = [
        {"name": "a.gguf", "downloaded_bytes": 2**30, "total_bytes": 4 * 2**30, "replica_id": 0},
        {"name": "b.json", "downloaded_bytes": 2**30, "total_bytes": 2**30, "replica_id": 1},
        {"name": "c", "downloaded_bytes": 5, "total_bytes": None},
    ]

    assert _bytes_of(Progress.model_validate({"progress": 0.2, "download_files": files})) == "2 GiB of 5 GiB"


def test_without_a_download_nothing_is_said() -> None:
    assert _bytes_of(Progress.model_validate({"progress": 0.5, "stage": "loading"})) == ""
