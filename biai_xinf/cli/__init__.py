"""The command line: every command in a module of its own, loaded only when it is called.

`biai-xinf --help` must stay instant, so the help page is written from the table below.
"""

from __future__ import annotations

import importlib
import io
import keyword
import os
import sys

import click

from biai_xinf import __version__
from biai_xinf.errors import BiaiXinfError

# name -> (section, one line of help), in the order a newcomer needs them.
COMMANDS = {
    "launch": ("Models", "Launch a model, check that it answers right, and say how to use it."),
    "plan": ("Models", "Show what launch would do, and why; change nothing."),
    "apply": ("Models", "Make a cluster what its file says."),
    "watch": ("Models", "Keep a cluster as its file says, until it is stopped."),
    "fit": ("Models", "Show how much memory a model takes, and where there is room for it."),
    "scale": ("Models", "Run a model in more replicas, or in fewer."),
    "stop": ("Models", "Stop a model."),
    "status": ("Models", "Show the models and machines of the cluster."),
    "logs": ("Models", "Show what Xinference tells of a model: replicas, events, lines of its logs."),
    "ask": ("Models", "Ask a database a question in plain language."),
    "sql": ("Models", "Check SQL that a model wrote."),
    "import": ("Models", "Serve the models of an Ollama on this machine from where they lie."),
    "env": ("Models", "Write BIAI's settings, so that it asks the endpoint where it asked Ollama."),
    "embeddings": ("Models", "Show what a Chroma store was built with, and make its vectors anew."),
    "upstream": ("Models", "Serve models of other servers, and check what they can do."),
    "specs": ("Catalogue", "List, show and check the model specs."),
    "init": ("Cluster", "Make the first administrator of a cluster, and an application's key."),
    "supervisor": ("Cluster", "Run the supervisor of a cluster on this machine."),
    "worker": ("Cluster", "Run a worker of a cluster on this machine."),
    "up": ("This machine", "Start a local Xinference in the background."),
    "down": ("This machine", "Stop the local Xinference."),
    "doctor": ("Help", "Check this machine and the cluster, and say what to mend."),
    "login": ("Help", "Log in to an Xinference that asks for it, and keep the login."),
    "ui": ("Help", "Open Xinference's Web UI at the right page."),
    "completion": ("Help", "Print the shell completion script."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # `import` is a word of Python's, and so no name of a module.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"biai_xinf.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(section for section, _ in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(name, text) for name, (where, text) in COMMANDS.items() if where == section])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BiaiXinfError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="biai-xinf")
@click.option(
    "--endpoint",
    envvar="BIAI_XINF_ENDPOINT",
    metavar="URL",
    help="Xinference supervisor to use, such as http://10.0.0.5:9997. Without it: the local one.",
)
@click.pass_context
def group(ctx: click.Context, endpoint: str | None) -> None:
    """Private text-to-SQL models on Xinference, behind one OpenAI endpoint.

    Start with `biai-xinf launch sql-coder`.
    """
    ctx.obj = endpoint


def main() -> None:
    """Entry point of the `biai-xinf` command."""
    for stream in (sys.stdout, sys.stderr):
        # Windows consoles still default to code pages that lack the glyphs of a plan.
        if isinstance(stream, io.TextIOWrapper) and (stream.encoding or "").lower() != "utf-8":
            stream.reconfigure(errors="replace")
    try:
        group(prog_name="biai-xinf")
    except BrokenPipeError:
        # The reader of a pipe (`| head`) went away; Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
