"""The pages in headless Chromium: for eyes, for keyboards, for screen readers, and as they change."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.waiting import eventually
from tests.web.browser import axe_findings, chromium, resize, served
from tests.web.pages import FakeSource
from tests.web.scenes import PATH, first_stage, several, stuck_second_stage

PICTURES = Path(__file__).parent / "pictures"
WIDTHS = {360: 2600, 1280: 1900}
_CELL = 16
"""Pixels of a picture's cell, in whose mean colour the edges of letters do not count."""
_MOST_DIFFERENT = 40
"""Of 255: the most by which a cell may differ. Another letter differs by less, a block that has moved by more."""
_MOST_ON_AVERAGE = 1.0


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Chrome]]:
    """A browser for each theme, started when it is first asked for."""
    started: dict[bool, Chrome] = {}
    with ExitStack() as ends:

        def browser(dark: bool) -> Chrome:
            if dark not in started:
                started[dark] = ends.enter_context(chromium(tmp_path_factory.mktemp("profile"), dark=dark))
            return started[dark]

        yield browser


@pytest.fixture
def light(browsers: Callable[[bool], Chrome]) -> Chrome:
    browser = browsers(False)
    resize(browser, 1280)
    return browser


def shown(browser: Chrome, selector: str) -> str:
    """The text of an element, read in one go: an update may replace the element at any time."""
    text: str = browser.execute_script("return document.querySelector(arguments[0]).textContent", selector)
    return " ".join(text.split())


def state(browser: Chrome) -> str:
    return shown(browser, "#live-state")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/", PATH, "/?state=Failed&name=absent"])
def test_nothing_keeps_people_out(path: str, dark: bool, browsers: Callable[[bool], Chrome]) -> None:
    browser = browsers(dark)
    with served(FakeSource(several())) as url:
        for width in WIDTHS:
            resize(browser, width)
            browser.get(url + path)
            assert axe_findings(browser) == []


@pytest.mark.parametrize("width", [360, 800, 1024])
@pytest.mark.parametrize("path", ["/", PATH])
def test_the_page_itself_never_scrolls_sideways(path: str, width: int, light: Chrome) -> None:
    resize(light, width)
    with served(FakeSource(several())) as url:
        light.get(url + path)
        assert light.execute_script("return document.documentElement.scrollWidth") == width


BROKEN_WORDS = """
const broken = [];
for (const one of document.querySelectorAll(".rollouts tbody th, .share")) {
  const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/[^\\s-]+-?/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  }
}
return broken
"""


@pytest.mark.parametrize("width", [1024, 1280])
def test_names_in_the_list_are_not_broken_where_there_is_room(width: int, light: Chrome) -> None:
    resize(light, width)
    with served(FakeSource(several())) as address:
        light.get(f"{address}/")
        assert light.execute_script(BROKEN_WORDS) == []


def test_a_page_follows_the_cluster(light: Chrome) -> None:
    source = FakeSource(first_stage())
    with served(source) as url:
        light.get(url + PATH)
        eventually(lambda: state(light) == "live", "it is live")
        assert "in stage 1 of 4" in shown(light, ".sentence")
        assert shown(light, "#announcement") == "", "a page that was just loaded is not announced"

        source.show(stuck_second_stage())
        eventually(lambda: "in stage 2 of 4" in shown(light, ".sentence"), "it shows the second stage")
        assert shown(light, "#announcement").startswith("hello is Stuck, stage 2 of 4")
        assert light.find_element(By.ID, "announcement").get_attribute("aria-live") == "polite"


def test_the_focus_survives_an_update(light: Chrome) -> None:
    source = FakeSource(first_stage())
    with served(source) as url:
        light.get(url + PATH)
        eventually(lambda: state(light) == "live", "it is live")
        light.execute_script("document.getElementById('as-json').focus()")
        source.show(stuck_second_stage())
        eventually(lambda: "in stage 2 of 4" in shown(light, ".sentence"), "it shows the second stage")
        assert light.switch_to.active_element.get_attribute("id") == "as-json"


def test_what_is_being_typed_is_not_taken_away(light: Chrome) -> None:
    source = FakeSource(several())
    with served(source) as url:
        light.get(url)
        eventually(lambda: state(light) == "live", "it is live")
        field = light.find_element(By.ID, "filter-name")
        field.send_keys("sho")
        source.show(first_stage())
        eventually(lambda: source.number == 1, "something changed")
        field.send_keys("p", Keys.ENTER)
        eventually(lambda: "name=shop" in light.current_url, "it is filtered")


def test_a_hidden_page_has_no_stream(light: Chrome) -> None:
    with served(FakeSource(first_stage()), streams=1) as url:
        light.get(url + PATH)
        eventually(lambda: state(light) == "live", "it is live")
        light.switch_to.new_window("tab")
        try:
            light.get(url + PATH)
            eventually(
                lambda: state(light) == "live", "the only stream is free for the page that is shown", within=60.0
            )
        finally:
            light.close()
            light.switch_to.window(light.window_handles[0])


def test_when_there_are_too_many_the_page_says_so(light: Chrome) -> None:
    with served(FakeSource(first_stage()), streams=0) as url:
        light.get(url + PATH)
        eventually(lambda: state(light).startswith("not live: too many"), "it says so")
        assert "in stage 1 of 4" in shown(light, ".sentence")


def test_without_a_script_the_page_is_the_same(light: Chrome) -> None:
    with served(FakeSource(several())) as url:
        light.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            light.get(f"{url}/?state=person")
            assert state(light) == "as it was when this page was loaded"
            assert "hello" in shown(light, ".rollouts")
            light.find_element(By.ID, "rollout-default-hello").click()
            assert light.current_url == url + PATH
            assert "in stage 2 of 4" in shown(light, ".sentence")
        finally:
            light.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_everything_is_reached_by_keyboard(light: Chrome) -> None:
    with served(FakeSource(several())) as url:
        light.get(url)
        reached = []
        for _ in range(20):
            light.switch_to.active_element.send_keys(Keys.TAB)
            reached.append(light.switch_to.active_element.get_attribute("id"))
        assert {"count-All", "filter-namespace", "filter-name", "filter-go", "rollout-default-hello"} <= set(reached)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scene", ["list", "rollout"])
def test_it_looks_as_it_did(scene: str, width: int, dark: bool, browsers: Callable[[bool], Chrome]) -> None:
    """Letters may be drawn otherwise elsewhere, so pictures are compared by the mean colours of their cells."""
    taken = picture(browsers(dark), scene, width)
    path = PICTURES / f"{scene}-{width}-{'dark' if dark else 'light'}.png"
    kept = Image.open(path).convert("RGB")

    assert taken.size == kept.size
    small = tuple(max(1, side // _CELL) for side in taken.size)
    cells = [one.resize(small, Image.Resampling.BOX) for one in (taken, kept)]
    different = ImageChops.difference(*cells)
    most = max(high for _, high in ImageStat.Stat(different).extrema)
    average = sum(ImageStat.Stat(different).mean) / 3
    assert (most <= _MOST_DIFFERENT, average <= _MOST_ON_AVERAGE) == (True, True), (
        f"{path.name}: a cell differs by {most}, all by {average:.2f} on average;"
        " make pictures takes new ones, look at them before you keep them"
    )


def picture(browser: Chrome, scene: str, width: int) -> Image.Image:
    """The page of a scene as it is without its script, so that nothing changes while it is taken."""
    source = FakeSource(first_stage())
    resize(browser, width, WIDTHS[width] if scene == "rollout" else 900)
    with served(source) as url:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            browser.get(url + PATH)  # The first stage, as it was observed.
            source.show(several() if scene == "list" else stuck_second_stage())
            browser.get(url + ("/" if scene == "list" else PATH))
            return Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        finally:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
