"""Every command in the documents exists, with the options it is given; the rest of a block is no promise."""

import shlex

import click
import pytest
import yaml

from biai_xinf.cli import group
from biai_xinf.clusterfile import CLUSTER_FILE
from biai_xinf.specs import MODEL_SPEC
from tests.docs.blocks import DOCUMENTS, ROOT, Block, blocks

SHELL = [block for document in DOCUMENTS for block in blocks(document) if block.language in ("sh", "console")]
COMMANDS = [
    pytest.param(command, id=f"{block.document}:{block.line}:{command}")
    for block in SHELL
    for line in (block.text.splitlines() if block.language == "sh" else [cmd for cmd, _ in block.commands()])
    for command in line.split("&&")
    if command.strip().startswith("biai-xinf ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_documents_can_be_typed(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    context = click.Context(group, info_name="biai-xinf", **group.context_settings)

    parsed, node = list(words), group
    while isinstance(node, click.Group) and parsed:
        found = node.get_command(context, parsed[0])
        assert found is not None, f"no command `{parsed[0]}`"
        node, parsed = found, parsed[1:]  # type: ignore[assignment]

    node.make_context(words[0], parsed, parent=context)


@pytest.mark.parametrize(
    "block",
    [block for document in DOCUMENTS for block in blocks(document) if block.language == "yaml"],
    ids=lambda block: f"{block.document}:{block.line}",
)
def test_every_file_in_the_documents_is_valid(block: Block) -> None:
    data = yaml.safe_load(block.text)

    (CLUSTER_FILE if "endpoint" in data else MODEL_SPEC).validate_python(data)


def test_the_command_line_reference_is_current() -> None:
    from tools.cli_reference import reference

    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    assert written == reference(), "run `python tools/cli_reference.py > docs/cli.md`"


def test_every_python_block_of_the_documents_compiles() -> None:
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "python":
                compile(block.text, f"{block.document}:{block.line}", "exec")
