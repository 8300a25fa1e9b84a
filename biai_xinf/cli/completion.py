"""`biai-xinf completion`: shell completion, as click makes it."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from biai_xinf.cli.output import say, show

# What to type for each shell, and what click's own scripts support.
_USE = {
    "bash": 'eval "$(biai-xinf completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(biai-xinf completion zsh)"   in ~/.zshrc',
    "fish": "biai-xinf completion fish > ~/.config/fish/completions/biai-xinf.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_USE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"this version of click has no completion for {shell}")
    show(completion(ctx.find_root().command, {}, "biai-xinf", "_BIAI_XINF_COMPLETE").source())
    say(f"next: {_USE[shell]}")
