import json
import subprocess
import sys
from pathlib import Path

import pytest

from biai_xinf import demo
from biai_xinf.catalogue import shipped_specs
from biai_xinf.cli import COMMANDS, group
from tests.commandline import run


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=lambda words: "-".join(words) or "group")
def test_neither_xinference_nor_torch_is_ever_imported_by_the_command_line(command: list[str]) -> None:
    code = (
        "import sys; from biai_xinf.cli import group\n"
        f"group({[*command, '--help']!r}, standalone_mode=False)\n"
        "heavy = {'xinference', 'torch', 'xoscar', 'transformers', 'numpy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


def test_the_help_page_imports_no_command() -> None:
    code = (
        "import sys; from biai_xinf.cli import group\n"
        "group(['--help'], standalone_mode=False)\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pydantic', 'requests', 'yaml', 'rich')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_in_the_list_begins_the_commands_own_help(name: str) -> None:
    own = (group.get_command(None, name).help or "").splitlines()[0]  # type: ignore[arg-type, union-attr]
    listed = COMMANDS[name][1]

    assert own.split()[0] == listed.split()[0]


def test_an_unknown_spec_offers_the_closest_names() -> None:
    result = run("--endpoint", "http://127.0.0.1:9", "launch", "sql-codr")

    assert (result.exit_code, result.stderr) == (
        1,
        "error: no model spec is named `sql-codr`\n\n"
        "hint: did you mean `sql-coder` or `sqlcoder` or `sql-coder-3b`? `biai-xinf specs list` shows them all\n",
    )


def test_a_supervisor_that_is_away_is_named_with_what_to_do() -> None:
    result = run("--endpoint", "http://127.0.0.1:9", "status")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: nothing answers at `http://127.0.0.1:9`")
    assert "`biai-xinf up` starts one here" in result.stderr


@pytest.mark.parametrize("endpoint", ["10.0.0.5", "ftp://10.0.0.5", "http://", "http://10.0.0.5:99999", "not a url"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    result = run("--endpoint", endpoint, "status")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert endpoint in result.stderr


@pytest.mark.parametrize(
    "words", [["launch"], ["nope"], ["status", "--nope"], ["ask", "How many?"], ["completion", "tcsh"]]
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    result = run("ask", "How many?", "--db", str(tmp_path / "gone.db"))

    assert (result.exit_code, result.stderr) == (
        1,
        f"error: no database at `{tmp_path / 'gone.db'}`\n\nhint: `--db demo` asks the demo shop\n",
    )


def test_a_question_needs_a_sql_model(tmp_path: Path) -> None:
    result = run("ask", "How many?", "--db", str(demo.create(tmp_path / "demo.db")), "--model", "bge-m3")

    assert result.stderr == "error: `bge-m3` is for embedding, questions need a model for sql\n"


def test_specs_are_listed_as_a_table_and_as_json() -> None:
    table, data = run("specs", "list"), run("specs", "list", "--json")

    shipped = sorted(path.stem for path in shipped_specs().glob("*.yaml"))
    heading, *names = (line.split()[0] for line in table.stdout.splitlines())
    assert (heading, names) == ("SPEC", shipped)
    assert [spec["name"] for spec in json.loads(data.stdout)] == shipped


def test_a_spec_is_shown_with_its_recipes() -> None:
    result = run("specs", "show", "sql")

    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if line.startswith("gpu-24g "))
    assert "about 1 GPU x" in row
    assert row.endswith("Qwen3-Coder 30B ggufv2 Q4_K_M on llama.cpp")


def test_validate_names_every_mistake_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nrolle: sql\n")
    (tmp_path / "b.yaml").write_text("role: [\n")

    result = run("specs", "validate", str(tmp_path))

    assert result.exit_code == 1
    assert result.stderr.startswith("error: 2 of 2 files are wrong\n")
    assert f"{tmp_path / 'b.yaml'}:2: is not YAML" in result.stderr


def test_validate_passes_our_own_specs() -> None:
    files = list(shipped_specs().glob("*.yaml"))

    result = run("specs", "validate", "model_specs")

    assert (result.exit_code, result.stderr) == (0, f"{len(files)} of {len(files)} files are right\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    assert "_BIAI_XINF_COMPLETE" in run("completion", shell).stdout


def test_completion_completes_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "biai_xinf"],
        env={
            "_BIAI_XINF_COMPLETE": "bash_complete",
            "COMP_WORDS": "biai-xinf la",
            "COMP_CWORD": "1",
            "PATH": "",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.split() == ["plain,launch"]


def test_down_without_a_local_xinference_is_done_already() -> None:
    result = run("down")

    assert (result.exit_code, result.stderr) == (
        0,
        "no local Xinference is running; `biai-xinf up` starts one\n",
    )
