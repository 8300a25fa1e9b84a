"""Xinference's Web UI as an admin uses it, in a real Chromium without a window; `slow-test` brings what drives it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

# The lists of the Web UI hold the whole catalogue, which a busy machine takes long to tell.
PATIENCE_S = 120
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None or importlib.util.find_spec("selenium") is None,
    reason="needs Chromium, chromedriver and selenium",
)

_DIALOG = "//*[@role='dialog']"


class WebUi:
    """One browser at one Xinference; a context manager. Every look waits until what it looks for is there."""

    def __init__(self, endpoint: str, width: int = 1280, height: int = 800) -> None:
        # Only here: where it is not installed the tests that use this are skipped.
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        # In a container Chromium may neither have its sandbox nor much of /dev/shm. The pages have no secrets.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en-US"):
            options.add_argument(argument)
        options.add_argument("--force-prefers-reduced-motion")
        options.add_argument("--hide-scrollbars")
        self._browser = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        self._endpoint = endpoint
        self.resize(width, height)

    def __enter__(self) -> WebUi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.quit()

    def resize(self, width: int, height: int) -> None:
        """The size of the page itself, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, path: str, *, until: str) -> None:
        """Open a page and wait until the text `until` stands on it."""
        self._browser.get(f"{self._endpoint}{path}")
        self._find(f"//*[normalize-space(text())={_quoted(until)}]")

    def open_registrations(self, name: str, model_type: str = "LLM") -> str:
        """The page of models that the catalogue lacks; the text of this one's card."""
        self.open(f"/launch-model/custom?activeType={model_type}", until=name)
        return self._find(_card(name)).text

    def open_launch_form(self, name: str) -> None:
        """Press Launch on the card of a model, on the page that is open."""
        self._find(f"{_card(name)}//button[contains(., 'Launch')]").click()
        self._find(f"{_DIALOG}//button[contains(., 'Deploy')]")

    def wait_until_filled_in(self, uid: str) -> None:
        """The form fills itself in once it knows the launch history; `uid` is the one it will then hold."""
        self._until(lambda: self.field("Model UID") == uid)

    def field(self, label: str) -> str:
        """What the field of that label in the launch form holds; of a list, what is chosen."""
        around = self._around(label)
        boxes = around.find_elements("tag name", "input")
        return str(boxes[0].get_attribute("value")) if boxes else around.text.splitlines()[-1]

    def fill_in(self, label: str, text: str) -> None:
        """Write something else into a field of the launch form."""
        from selenium.webdriver.common.keys import Keys

        box = self._around(label).find_element("tag name", "input")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)

    def deploy(self) -> None:
        """Launch what the form says, and wait until Xinference has loaded it."""
        self._find(f"{_DIALOG}//button[contains(., 'Deploy')]").click()
        self._until(lambda: "/running-model" in self._browser.current_url)

    def picture(self, file: Path) -> None:
        """A PNG of what is to be seen, once nothing moves any more."""
        still = "return document.getAnimations().every(one => one.playState !== 'running')"
        self._until(lambda: bool(self._browser.execute_script(still)))
        self._browser.save_screenshot(str(file))

    def _around(self, label: str) -> WebElement:
        """A field of the launch form with its label."""
        return self._find(f"{_DIALOG}//label[normalize-space(text())={_quoted(label)}]/..")

    def _find(self, xpath: str) -> WebElement:
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self._browser, PATIENCE_S).until(
            lambda browser: next((one for one in browser.find_elements("xpath", xpath) if one.is_displayed()), None),
            f"not on the page: {xpath}",
        )

    def _until(self, true: Callable[[], bool]) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self._browser, PATIENCE_S).until(lambda _: true())


def _card(name: str) -> str:
    return f"//*[@role='button'][.//h3[normalize-space(text())={_quoted(name)}]]"


def _quoted(text: str) -> str:
    assert "'" not in text
    return f"'{text}'"
