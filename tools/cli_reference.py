"""Writes docs/cli.md from the command line itself: `python tools/cli_reference.py > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from biai_xinf.cli import group

HEAD = """\
# Commands

Written by `tools/cli_reference.py` from the commands' own help; a test keeps it current.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_pages(group, _context(group, "biai-xinf", None))])


def _pages(command: click.Command, context: click.Context) -> Iterator[str]:
    # A fixed width, so that the page does not depend on the terminal.
    context.terminal_width = context.max_content_width = 100
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _pages(inner, _context(inner, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


if __name__ == "__main__":
    print(reference(), end="")
