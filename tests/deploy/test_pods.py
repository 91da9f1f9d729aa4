"""What compose and Kubernetes would run, run: their very commands and environments, over real servers, as a pod has it.

There is no container here. What a container is given is: folders that belong to somebody else, a home that is not
there, settings that were copied, secrets as variables or files.
"""

from __future__ import annotations

import json
import os
import pwd
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import parts
from tests.deploy.scripts import ADMIN, ADMINS, LOGIN, LOGINS, Guarded, Place, guarded, passwords, place
from tests.kit import postgres, s3
from tradex_ledger.config import FILE
from tradex_ledger.pipelines.x.demo.posts import write_month

pytestmark = pytest.mark.soak

DAYS = 3
FOLDERS = ("workspace", "cache", "deliveries", "settings", "backups")
ELSE = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class World:
    """Servers, folders, and what the names in the files of `deploy/` stand for."""

    at: Place
    database: Guarded
    store: s3.Store
    names: dict[str, str]

    def real(self, text: str) -> str:
        """A text with what its names stand for."""
        for name, meant in self.names.items():
            text = text.replace(name, meant)
        return text

    def run(self, words: list[str], environment: dict[str, str], *, status: int = 0) -> str:
        """A command of a container, with nothing in its environment but what it is given."""
        given = {name: self.real(value) for name, value in environment.items()}
        around = {name: os.environ[name] for name in ELSE if name in os.environ}
        around["PATH"] = self.at.environment["PATH"]
        said = {**around, "HOME": "/nonexistent", **given}
        alone = ["env", "-i", *(f"{name}={value}" for name, value in said.items())]
        return self.at.call([*alone, *map(self.real, words)], status=status)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    at, store = place(tmp_path), s3.seaweed()
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    write_month(tmp_path / "deliveries", 7, first, DAYS, 6)
    with guarded() as database:
        lake = s3.fresh_url()
        names = {f"/{name}": str(tmp_path / name) for name in FOLDERS}
        names |= {"postgresql://tradex-db/tradex": database.url(), "postgresql://db/tradex": database.url()}
        names |= {"http://tradex-bucket:8333": store.endpoint, "http://bucket:8333": store.endpoint}
        names |= {"s3://tradex-lake/lake": lake, "2024-01-01": first.isoformat()}
        names["/run/secrets"] = str(tmp_path / "secrets")
        yield World(at, database, store, names)


def settle(world: World, settings: str) -> None:
    """Lay the settings where a container finds them; all of it is somebody else's."""
    (world.at.folder / "settings" / FILE).write_text(world.real(settings), encoding="utf-8")
    if os.geteuid() == 0:
        somebody = pwd.getpwnam("nobody")
        for name in ("workspace", "cache", "settings", "settings/" + FILE):
            os.chown(world.at.folder / name, somebody.pw_uid, somebody.pw_gid)


def check(world: World, environment: dict[str, str]) -> None:
    """What was made is whole, and has the days that were delivered."""
    days = "select count(distinct event_date) from silver_social_events"
    said = world.run(["tradex", "--json", "query", days], environment)
    assert json.loads(said[said.index("{") :])["rows"] == [[DAYS]]


def given(one: Any) -> dict[str, str]:
    """The environment of a container of a pod."""
    secrets = {
        ("tradex-db", "password"): LOGINS, ("tradex-db", "admin-password"): ADMINS,
        ("tradex-bucket", "access-key-id"): s3.KEY, ("tradex-bucket", "secret-access-key"): s3.SECRET,
    }  # fmt: skip
    made, found = {one["metadata"]["name"]: one for one in parts.manifests()}, dict[str, str]()
    for source in one.get("envFrom", []):
        found |= made[source["configMapRef"]["name"]]["data"]
    for said in one.get("env", []):
        secret = said.get("valueFrom", {}).get("secretKeyRef")
        if secret is None:
            found[said["name"]] = said["value"]
        elif (value := secrets.get((secret["name"], secret["key"]))) is not None:
            found[said["name"]] = value
        else:
            assert secret["optional"]
    return found


def test_the_manifests_of_kubernetes(world: World):
    made = {one["metadata"]["name"]: one for one in parts.manifests()}
    settle(world, made["tradex-settings"]["data"][FILE])
    for one in parts.containers(made["tradex-init"]):
        world.run(one["command"], given(one))
    world.database.say(f"grant tradex_writer to {LOGIN}")
    for name in ("tradex-run", "tradex-backup", "tradex-worker"):
        first, second = parts.containers(made[name])
        world.run(first["command"], given(first))
        if name == "tradex-worker":
            for probe in ("startupProbe", "readinessProbe"):
                world.run(second[probe]["exec"]["command"], given(second))
            world.run([*second["command"], "--once"], given(second))
        else:
            world.run(second["command"], given(second))
    check(world, given(second))
    assert len(list((world.at.folder / "backups").glob("ledger-2*Z.gz"))) == 1
    world.database.say(f"alter role {LOGIN} nologin")
    world.run(second["startupProbe"]["exec"]["command"], given(second), status=6)


def test_the_services_of_compose(world: World):
    services, folder = parts.compose()["services"], world.at.folder
    settle(world, (parts.DEPLOY / "compose" / FILE).read_text(encoding="utf-8"))
    (folder / "secrets").mkdir()
    passwords(world.at, **{ADMIN: ADMINS, LOGIN: LOGINS}).rename(folder / "secrets" / "pgpass")
    keys = f"[default]\naws_access_key_id={s3.KEY}\naws_secret_access_key={s3.SECRET}\n"
    (folder / "secrets" / "aws-credentials").write_text(keys, encoding="utf-8")
    image = {"TRADEX_CACHE_HOME": "/cache/tradex", "TRADEX_CONFIG_HOME": "/cache/own"}

    def run(name: str, *more: str, command: str = "command") -> str:
        service = services[name]
        words = service["command"] if command == "command" else service["healthcheck"]["test"][1:]
        return world.run([*words, *more], {**image, **service["environment"]})

    for name in ("init", "settings", "grants"):
        run(name)
    world.database.say(f"grant tradex_writer to {LOGIN}")
    environment = {**image, **services["worker"]["environment"]}
    world.run(["tradex", "run"], environment)
    run("worker", command="healthcheck")
    health = services["bucket"]["healthcheck"]["test"][-1].replace("http://127.0.0.1:8333", world.store.endpoint)
    with urllib.request.urlopen(health, timeout=10) as answer:
        assert answer.status == 200
    ready = services["db"]["healthcheck"]["test"][1:]
    world.at.call([str(postgres.binary(ready[0])), *ready[1:], "-h", str(world.database.server.folder)])
    run("worker", "--once")
    check(world, environment)
