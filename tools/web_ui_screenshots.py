"""Takes the pictures of docs/web-ui.md, in a real Chromium at a real Xinference: `python tools/web_ui_screenshots.py`.

Needs Chromium with its chromedriver, and `pip install '.[server,test,slow-test]'`. Takes two minutes on two cores.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.commandline import run
from tests.docs.blocks import ROOT
from tests.web_ui import WebUi
from tests.xinference_fixtures import running_xinference

IMAGES = ROOT / "docs" / "images"
SPEC, MODEL = "sql-coder", "biai-demo-sql"
QUESTIONS = ("How many customers are there?", "How many orders were cancelled in 2024?", "List all product names.")
COLOURS = 64


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"BIAI_XINF_HOME": f"{folder}/biai-xinf", "HF_HUB_OFFLINE": "1"}
        with running_xinference(Path(folder), XINFERENCE_AUTH_ADVANCED="0") as real:
            typed(real.endpoint, "launch", SPEC, "--recipe", "bundled")
            for question in QUESTIONS:
                typed(real.endpoint, "ask", question, "--db", "demo")
            with WebUi(real.endpoint) as web_ui:
                take(web_ui)


def typed(endpoint: str, *words: str) -> None:
    result = run("--endpoint", endpoint, *words)
    if result.exit_code:
        sys.exit(result.stderr)


def take(web_ui: WebUi) -> None:
    web_ui.open("/running-model", until="Replica Details")
    picture(web_ui, "running-models")
    web_ui.resize(1280, 620)
    web_ui.open_registrations(MODEL)
    picture(web_ui, "registrations")
    # As high as the fields reach of which no path of this machine is shown.
    web_ui.resize(1280, 925)
    web_ui.open_launch_form(MODEL)
    web_ui.wait_until_filled_in(SPEC)
    picture(web_ui, "launch-form")
    web_ui.resize(1280, 800)
    web_ui.open("/biai", until="Roles and models")
    picture(web_ui, "operator-page")


def picture(web_ui: WebUi, name: str) -> None:
    """A PNG in as many colours as these pages need, which makes it a third as large."""
    file = IMAGES / f"{name}.png"
    web_ui.picture(file)
    with Image.open(file) as shown:
        fewer = shown.convert("RGB").quantize(COLOURS)
    fewer.save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}  {fewer.width} x {fewer.height}  {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
