"""What tests of several folders ask for."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import worlds
from tests.kit import still
from tests.kit.tree import ROOT
from tradex_ledger import keyed

# A slow or busy machine is no finding.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

# Where a disk is made of memory, nobody waits for it: a third of the suite's time was that. TMPDIR decides otherwise.
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 3 << 30
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asked for already, by pytest itself


# Whoever starts the tests in the background of a script hands SIGINT down as ignored, and each process that a test
# starts and interrupts would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_WATCH = pytest.StashKey[still.Watch]()


def pytest_configure(config: pytest.Config) -> None:
    """Whoever starts the tests says where it is told that one stood still; who runs some for them watches."""
    if still.FILE not in os.environ:
        descriptor, os.environ[still.FILE] = tempfile.mkstemp(prefix="stood-still-")
        os.close(descriptor)
        config.add_cleanup(lambda: Path(os.environ.pop(still.FILE)).unlink(missing_ok=True))
    if "PYTEST_XDIST_WORKER" in os.environ:
        config.stash[_WATCH] = still.Watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """The next test begins."""
    if (watch := item.config.stash.get(_WATCH, None)) is not None:
        watch.begin(item.nodeid)
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The stacks of what stood still, where the failures are."""
    if told := Path(os.environ[still.FILE]).read_text(encoding="utf-8", errors="replace"):
        terminalreporter.section("stood still")
        terminalreporter.write_line(told)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long tests run when they are asked for by name, not because of another marker (`-m norm`)."""
    if "soak" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_collection_finish() -> None:
    """What was loaded stays until the end: whoever looks for garbage need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user's configuration and caches that only these tests have, and a room for worlds, for all their processes."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(worlds.ROOM, str(shared / "worlds"))
        patch.setenv(keyed.CONFIG_HOME, str(Path(folder, "config")))
        patch.setenv(keyed.CACHE_HOME, str(Path(folder, "cache")))
        # One key for all, so that the caches of a world are believed in its copies.
        key = worlds.made("key", lambda room: (room / "cache.key").write_bytes(os.urandom(32))) / "cache.key"
        Path(folder, "config").mkdir(mode=0o700)
        shutil.copyfile(key, Path(folder, "config", key.name))
        Path(folder, "config", key.name).chmod(0o600)
        yield


@pytest.fixture(scope="session")
def real_posts() -> Path:
    """The folder of real posts: beside the checkout, or where TRADEX_TEST_DATA says."""
    named = os.environ.get("TRADEX_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "x_posts"
    if not any(folder.glob("*.jsonl.gz")):
        pytest.skip(f"no real posts in {folder}: set TRADEX_TEST_DATA to the folder that holds them")
    return folder
