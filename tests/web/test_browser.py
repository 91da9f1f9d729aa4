"""The pages in a true browser: what axe, the console, a phone and the keyboard say of them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests import worlds
from tests.kit import pages_story, real_story, small
from tests.kit.tree import CLI, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None or find_spec("axe_playwright_python") is None,
    reason="there is no Chromium here, or nothing that drives it (pip install playwright axe-playwright-python)",
)
BOUND_S = 20


@dataclass
class Served:
    """A site of a workspace as `tradex serve` has it, in a process of its own."""

    folder: Path
    process: subprocess.Popen[str]
    address: str
    runs: dict[str, str]
    day: str = "2024-01-05"
    seen: int = 100

    @property
    def root(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def deciding(self) -> list[str]:
        """Where something is shown to be decided on, beside the runs themselves, of what this workspace has."""
        found = {"forced": "sign?seen={seen}", "SUCCESS": "reversal", "part": "parts"}
        there = [f"/runs/{self.runs[name]}/{page}" for name, page in found.items() if name in self.runs]
        return ["/?proposed=1", *(path.format(seen=self.seen) for path in there)]

    @property
    def drawn(self) -> list[str]:
        """Pages that look another way for each workspace: pictures, and what was compared."""
        return ["/", f"/runs/{self.runs['HELD']}", "/datasets/gold_signals?left=1&right=2",
                f"/datasets/gold_signals/{self.day}"]  # fmt: skip

    @property
    def kinds(self) -> list[str]:
        """A page of each kind, and of runs one in each status."""
        runs, held = [f"/runs/{run}" for run in self.runs.values()], self.runs["HELD"]
        return [*self.drawn, "/?at=9", "/runs", *runs, f"/runs/{held}?at={held}", "/datasets", "/datasets/gold_signals",
                "/log", "/log/12", f"/datasets/bronze_x_posts/{self.day}", "/tables", "/tables/runs",
                *self.deciding]  # fmt: skip

    @property
    def paths(self) -> list[str]:
        """All of them, and a table that is long."""
        return [*dict.fromkeys(self.kinds), "/tables/calendar"]


def serve(folder: Path, runs: dict[str, str], actor: str = "maria") -> Served:
    command = [sys.executable, str(CLI), "-C", str(folder), "--as", actor, "serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    return Served(folder, process, process.stdout.readline().strip(), runs)


def end(served: Served) -> None:
    served.process.send_signal(signal.SIGINT)
    served.process.communicate(timeout=BOUND_S)


def lived(room: Path, posts: Path) -> tuple[Path, dict[str, str]]:
    """A copy of what was lived through with the real posts, and its runs; whichever process is first tells it."""

    def live(folder: Path) -> None:
        (folder / "runs.json").write_text(json.dumps(real_story.tell(folder, posts)), encoding="utf-8")

    folder = worlds.copy("real-story", live, room)
    return folder, json.loads((room / "runs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["small", "real"])
def served(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    """A site of made-up posts, and one of real ones."""
    room = tmp_path_factory.mktemp("browser")
    if request.param == "real":
        found = serve(*lived(room, request.getfixturevalue("real_posts")))
        found.day = "2014-02-11"
    else:
        folder = worlds.copied(room, pipeline=True)
        found = serve(folder, pages_story.tell(folder))
    yield found
    end(found)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the consoles of the pages said: nothing may be said."""
    found: list[str] = []
    yield found
    assert not found


Opener = Callable[..., "Page"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A site of a workspace of one's own, in which no request is too old."""
    found = serve(worlds.copied(tmp_path, expire_days=0, clock_hours=0), {})
    yield found
    end(found)


@pytest.fixture
def opened(browser: Browser, said: list[str], request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens a page of a browser that was let in; they are closed before a site ends."""
    for name in {"own", "served"} & {*request.fixturenames}:
        request.getfixturevalue(name)
    contexts = []

    def open_(served: Served, *, width: int = 1280, scheme: Literal["light", "dark"] = "light", **more: bool) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **more)  # type: ignore[arg-type]  # as playwright names them
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda one: said.append(f"{page.url}: {one.text}"))
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        page.goto(served.address)
        assert page.title().startswith("Today")
        return page

    yield open_
    for context in contexts:
        context.close()


WIDTHS = (320, 360, 768, 1280)
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""By how much a page is wider than the screen."""

CONTRAST = "runOnly: ['color-contrast'],"
"""The rule of axe that another colour scheme can break: the others ask what is on a page, and that is the same."""

FAST = "resultTypes: ['violations'], preload: false, selectors: false"
"""It need not fetch each style again, nor say where on the page something is: its text does."""


def violations(page: Page) -> list[str]:
    """What axe finds on a page that is open, in light and in dark."""
    found_at = find_spec("axe_playwright_python")
    assert found_at is not None
    page.evaluate(Path(str(found_at.origin)).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = []
    schemes: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", ""), ("dark", CONTRAST))
    for scheme, only in schemes:
        page.emulate_media(color_scheme=scheme)
        result = page.evaluate(f"axe.run(document, {{{only} {FAST}}})")
        for one in result["violations"]:
            first, count = one["nodes"][0]["html"][:200], len(one["nodes"])
            found.append(f"{scheme}: {one['id']}, {count} times, first: {first}")
    return found


ONE_SITE = pytest.mark.parametrize("served", ["small"], indirect=True)
"""What is asked of the script and of the tests themselves is the same whatever the posts are."""


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(opened: Opener, served: Served):
    page = opened(served)
    looked_at = served.kinds if "part" in served.runs else served.drawn
    found = []
    for path in served.paths:
        page.set_viewport_size({"width": WIDTHS[0], "height": 800})
        page.goto(served.root + path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            over = page.evaluate(OVER)
            found += [f"{path} at {width}: {over} px too wide"] if over > 0 else []
        found += [f"{path}: {one}" for one in (violations(page) if path in looked_at else [])]
    assert not found, "\n".join(found)


@ONE_SITE
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_that_is_too_wide_is_seen(opened: Opener, served: Served, width: int):
    page = opened(served, width=width)
    assert page.evaluate(OVER) <= 0
    page.evaluate(f"document.querySelector('main').style.width = '{width + 1}px'")
    assert page.evaluate(OVER) > 0


@ONE_SITE
def test_dark_is_looked_at_too(opened: Opener, served: Served):
    page = opened(served)
    page.evaluate("document.querySelector('h1').style.color = '#1a1d21'")  # ink: fine on white, and unreadable on black
    assert [one.partition(",")[0] for one in violations(page)] == ["dark: color-contrast"]


def test_a_report_that_is_kept_is_as_accessible_and_fits(opened: Opener, served: Served, said: list[str]):
    page = opened(served, width=320)
    answer = page.request.get(f"{served.root}/runs/{served.runs['SUCCESS']}/report.html")
    assert answer.status == 200
    page.goto("about:blank")  # away from what pages of the site may do
    page.set_content(answer.text())
    assert page.evaluate(OVER) <= 0
    assert not said
    found = violations(page)
    assert not found, "\n".join(found)


def test_the_browser_checks_the_proof_itself(opened: Opener, served: Served):
    page = opened(served)
    for position in (1, 12, 100):
        page.goto(f"{served.root}/log/{position}")
        page.wait_for_selector("#verdict.held")


@ONE_SITE
def test_a_proof_that_does_not_hold_is_seen_by_the_browser(opened: Opener, served: Served):
    page = opened(served)

    def forge(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]  # playwright's
        route.fulfill(response=answer, body=answer.text().replace("&#34;by&#34;:&#34;", "&#34;by&#34;:&#34;e"))  # type: ignore[attr-defined]  # playwright's

    page.route("**/log/*", forge)
    page.goto(f"{served.root}/log/12")
    page.wait_for_selector("#verdict.broken")


@ONE_SITE
def test_keys_go_where_they_say(opened: Opener, served: Served):
    page = opened(served)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.keyboard.press("[")
    page.wait_for_url("**at=*")
    page.wait_for_selector("body.past")
    page.keyboard.press(".")
    page.wait_for_url("**/runs")
    page.keyboard.press("p")
    page.wait_for_url("**at=*.*")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")


def test_the_calendar_is_walked_by_arrows_and_opened_by_enter(opened: Opener, served: Served):
    page = opened(served)
    assert page.locator('[role="gridcell"] > a[tabindex="0"]').count() == 1
    page.focus('[role="gridcell"] > a[tabindex="0"]')
    before = page.evaluate("document.activeElement.dataset.x")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    x, y = page.evaluate("[document.activeElement.dataset.x, document.activeElement.dataset.y]")
    assert (int(x), int(y)) == (int(before) - 1, 1)
    assert "silver_social_events" in page.inner_text("#tip")
    page.keyboard.press("Enter")
    page.wait_for_url("**/datasets/silver_social_events/*")


def test_a_live_page_follows_the_ledger_and_a_pinned_one_only_counts(own: Served, opened: Opener):
    page = opened(own)
    page.wait_for_selector("#live:not(.off)")
    pinned = opened(own)
    pinned.goto(f"{own.root}/?at=20")
    with small.reopen(own.folder) as workspace:
        run_id = small.request(workspace)
    page.wait_for_selector(f'a[href="/runs/{run_id}"]', timeout=BOUND_S * 1000)
    counts = "document.querySelector('#later').textContent.includes('later')"
    pinned.wait_for_function(counts, timeout=BOUND_S * 1000)
    assert run_id not in pinned.content()
    page.goto(f"{own.root}/runs/{run_id}")
    page.fill("textarea[name=comment]", "half a comm")
    with small.reopen(own.folder) as workspace:
        workspace.datasets.protect("gold_signals", small.day(1), small.day(1), reason="legal hold, LEG-7")
    page.wait_for_timeout(4000)
    assert page.input_value("textarea[name=comment]") == "half a comm"  # never over what is half typed


@pytest.mark.parametrize("script", [True, False])
def test_an_approval_by_the_page(own: Served, opened: Opener, script: bool):
    with small.reopen(own.folder) as workspace:
        run_id = small.request(workspace)
    page = opened(own, java_script_enabled=script)
    page.goto(f"{own.root}/runs/{run_id}")
    page.fill("textarea[name=comment]", "as agreed on Monday")
    page.check("input[name=hold]")
    page.click("text=Approve this plan")
    page.wait_for_url("**done=approve")
    assert "waits for a worker" in page.inner_text("p.lead")
    assert "as agreed on Monday" in page.inner_text("#decide")


def test_without_script_all_works_but_what_it_adds(opened: Opener, served: Served):
    page = opened(served, java_script_enabled=False)
    for path in served.kinds if "part" in served.runs else served.drawn:
        assert page.goto(served.root + path).status == 200  # type: ignore[union-attr]  # it answers
    page.goto(f"{served.root}/")
    page.fill("#at", "20")
    page.press("#at", "Enter")
    assert "You read the past" in page.inner_text(".past-note")
    page.click("a.theme")
    assert page.get_attribute("html", "data-theme") == "dark"
