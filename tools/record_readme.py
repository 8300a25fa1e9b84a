"""Types the README's commands and writes what they print below them: `python tools/record_readme.py`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.docs.blocks import ROOT, blocks
from tests.docs.shell import Shell


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, Shell(Path(folder)) as shell:
        for block in blocks(readme):
            commands = [] if block.language != "console" else block.commands()
            if commands and not commands[0][0].startswith("pip install"):
                told = [
                    f"$ {command}\n{_without_paths(shell.run(command), folder).strip()}\n" for command, _ in commands
                ]
                text = text.replace(f"```console\n{block.text}```", f"```console\n{''.join(told)}```")
    readme.write_text(text, encoding="utf-8")


def _without_paths(output: str, folder: str) -> str:
    """As it would be in the home of a user."""
    output = output.replace(f"{folder}/biai-xinf", "~/.biai-xinf").replace(f"{folder}/xinference", "~/.xinference")
    return re.sub(r"[ \t]+$", "", output, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
