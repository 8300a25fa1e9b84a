"""Lines of a log that are about one model; the lines are those of a real Xinference 4.1.0 and its llama.cpp."""

from __future__ import annotations

from biai_xinf.journal import Line, Reader


def entry(message: str, pid: int = 18505, level: str = "INFO", logger: str = "xinference.core.worker") -> str:
    where = f"pid:{pid} role:local address:127.0.0.1:45498 node:vm"
    return f"2026-11-27T12:12:03.971Z {level} {logger} {where} {message}\n"


AT = "2026-11-27T12:12:03.971Z"
LAUNCH = "Launch started: model_name=qwen, model_uid=sql-rep0 (active: 1/5, queued: 0)"
ENGINE = "0.00.747.581 E load_model: failed to load model, '/models/a.gguf'"


def test_an_entry_that_names_the_model_is_kept_without_what_stands_before_it() -> None:
    text = entry(LAUNCH) + entry("sync model: qwen to 10.0.0.1:20001") + entry(LAUNCH.replace("sql-rep0", "sql2-rep0"))

    assert Reader("sql").feed(text) == [Line(LAUNCH, AT, "INFO")]


def test_a_name_that_is_part_of_another_is_not_meant() -> None:
    text = "".join(entry(f"model_uid={name}") for name in ("sql-coder-rep0", "my-sql-rep0", "sql.a-rep0", "sql"))

    assert [line.text for line in Reader("sql").feed(text)] == ["model_uid=sql"]


def test_what_the_process_of_a_model_says_is_kept_though_it_names_none() -> None:
    asked = entry("Failed to set the param use_mmap = False", pid=18761, level="ERROR")
    loaded = entry("ModelActor(sql-rep0) loaded", pid=18761)
    other = entry("Failed to set the param use_mmap = False", pid=18800, level="ERROR")

    lines = Reader("sql").feed(asked + other + loaded)

    assert [(line.level, line.text) for line in lines] == [
        ("ERROR", "Failed to set the param use_mmap = False"),
        ("INFO", "ModelActor(sql-rep0) loaded"),
    ]


def test_a_traceback_goes_with_its_entry() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1\n    ^^^^^\nValueError: no luck\n'
    text = entry("Failed to load model sql-rep0", level="ERROR") + trace + entry("other", level="ERROR") + trace

    assert [line.text for line in Reader("sql").feed(text)] == [
        "Failed to load model sql-rep0",
        "Traceback (most recent call last):",
        '  File "a.py", line 1',
        "ValueError: no luck",
    ]


def test_calls_between_actors_are_noise_unless_they_failed() -> None:
    enter = entry("[request c1] Enter launch_builtin_model, args: sql-rep0")
    leave = entry("[request c1] Leave launch_builtin_model sql-rep0, elapsed time: 56 s")
    failed = entry("[request c1] Leave wait_for_load sql-rep0, error: no luck, elapsed time: 0 s", level="ERROR")

    assert [line.level for line in Reader("sql").feed(enter + leave + failed)] == ["ERROR"]


def test_ids_for_tracing_are_left_out() -> None:
    text = entry('sql-rep0 is ready request_id="e35390f4" correlation_id="" operation_request_id=""')

    assert Reader("sql").feed(text) == [Line("sql-rep0 is ready", AT, "INFO")]


def test_an_engines_own_lines_are_marked_as_such_and_can_be_left_out() -> None:
    vllm = "(EngineCore_0 pid=12) ERROR 11-27 12:00:01 [core.py:1] out of memory"

    assert Reader("sql").feed(f"{ENGINE}\n{vllm}\n") == [
        Line(ENGINE, level="ERROR", engine=True),
        Line(vllm, level="ERROR", engine=True),
    ]
    assert Reader("sql", engines=False).feed(f"{ENGINE}\n{vllm}\n") == []


def test_half_a_line_waits_for_its_end() -> None:
    reader, text = Reader("sql"), entry(LAUNCH)

    assert reader.feed(text[:60]) == []
    assert reader.feed(text[60:]) == [Line(LAUNCH, AT, "INFO")]


def test_without_a_model_everything_is_kept_but_the_calls() -> None:
    text = entry("[request c1] Enter get_status") + entry("Worker dead. address: 10.0.0.1:20001", level="ERROR")

    assert [line.text for line in Reader().feed(text)] == ["Worker dead. address: 10.0.0.1:20001"]
