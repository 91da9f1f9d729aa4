"""The files of `deploy/`: whole by their schemas, with commands that the program takes and settings that it reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from tests.deploy import parts
from tests.kit.tree import PACKAGE, ROOT
from tradex_ledger import __version__
from tradex_ledger.config import FILE, load_config

SCHEMAS = Path(__file__).parent / "schemas"
SECTIONS = {"Unit", "Service", "Timer", "Install"}
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY")
OTHERS = ("install", "pg_isready", "wget", "server")
PINNED = re.compile(r"[a-z0-9./-]+:[a-z]*[0-9]+(\.[0-9]+)+[a-z0-9.-]*")
TRADEX = [(place, words) for place, words in parts.commands() if words[0] == "tradex"]
DAGSTER = [(place, words) for place, words in parts.commands() if words[0].startswith("dagster")]


def images() -> list[str]:
    text = (parts.DEPLOY / "Containerfile").read_text(encoding="utf-8")
    of_pods = [one["image"] for made in parts.manifests() for one in parts.containers(made)]
    services = parts.compose()["services"].values()
    return [*re.findall(r"^FROM (\S+)", text, re.M), *of_pods, *(one["image"] for one in services)]


def environments() -> list[tuple[str, Any]]:
    """Each variable that a file sets, with its value or where that comes from."""
    found: list[tuple[str, Any]] = []
    for path in sorted((parts.DEPLOY / "systemd").glob("*.env")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [(name, value) for name, sign, value in (line.partition("=") for line in lines) if sign == "="]
    for path in parts.UNITS:
        for value in parts.unit(path).get("Service", {}).get("Environment", []):
            found.append((value.partition("=")[0], value.partition("=")[2]))
    for service in parts.compose()["services"].values():
        found += list(service.get("environment", {}).items())
    for made in parts.manifests():
        if made["kind"] == "ConfigMap":
            found += [(name, value) for name, value in made["data"].items() if name != FILE]
        for one in parts.containers(made):
            found += [(said["name"], said.get("value", said.get("valueFrom"))) for said in one.get("env", [])]
    return found


def test_each_manifest_is_what_kubernetes_takes():
    known = json.loads((SCHEMAS / "kubernetes-1.37.json").read_text(encoding="utf-8"))
    for made in parts.manifests():
        check = jsonschema.Draft202012Validator({**known, **known["kinds"][made["kind"]]})
        assert [(list(error.path), error.message) for error in check.iter_errors(made)] == []


def test_the_compose_file_is_what_compose_takes():
    known = json.loads((SCHEMAS / "compose.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(known).validate(parts.compose())


def test_what_a_service_is_given_is_there():
    made = parts.compose()
    for service in made["services"].values():
        assert set(service.get("secrets", [])) <= made["secrets"].keys()
        assert set(service.get("depends_on", {})) <= made["services"].keys()
        volumes = {volume.partition(":")[0] for volume in service["volumes"]}
        assert {name for name in volumes if not name.startswith("./")} <= made["volumes"].keys()
    claims = {one["metadata"]["name"] for one in parts.manifests() if one["kind"] == "PersistentVolumeClaim"}
    maps = {one["metadata"]["name"] for one in parts.manifests() if one["kind"] == "ConfigMap"}
    for made in parts.manifests():
        volumes = parts.pod(made).get("volumes", [])
        assert {
            one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one
        } <= claims
        assert {one["configMap"]["name"] for one in volumes if "configMap" in one} <= maps
        for one in parts.containers(made):
            assert {said["name"] for said in one["volumeMounts"]} <= {volume["name"] for volume in volumes}
            assert {said["configMapRef"]["name"] for said in one.get("envFrom", [])} <= maps


@pytest.mark.parametrize("path", parts.UNITS, ids=lambda path: path.name)
def test_each_unit_is_whole(path: Path):
    found = parts.unit(path)
    assert found.keys() <= SECTIONS
    for value in found.get("Service", {}).get("EnvironmentFile", []):
        beside = path.parent / Path(value).name
        assert value.startswith("-/etc/tradex/") or (value.startswith("/etc/tradex/") and beside.is_file())
    if path.suffix == ".timer":
        assert path.with_suffix(".service") in parts.UNITS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path):
    for path in parts.UNITS:
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(re.sub(rf"{parts.BIN}\S+", "/bin/true", text), encoding="utf-8")
    made = [str(path) for path in sorted(tmp_path.iterdir())]
    said = subprocess.run(["systemd-analyze", "verify", *made], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(("place", "words"), TRADEX, ids=[place for place, _ in TRADEX])
def test_each_command_is_one_that_the_program_takes(place: str, words: list[str]):
    with parts.parse(words[1:]):
        pass


def test_every_other_command_is_known_to_be_one():
    others = {words[0] for _, words in parts.commands()} - {"tradex"} - {words[0] for _, words in DAGSTER}
    assert others == set(OTHERS)


def test_a_command_that_the_program_does_not_take_is_found():
    for words in (["worker", "--onec"], ["ledger", "shwo"], ["status", "more"]):
        with pytest.raises(click.UsageError):
            parts.parse(words)


def test_each_settings_file_is_read(tmp_path: Path):
    texts = [(parts.DEPLOY / "compose" / FILE).read_text(encoding="utf-8")]
    texts += [one["data"][FILE] for one in parts.manifests() if FILE in one.get("data", {})]
    assert len(texts) == 2
    for text in texts:
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        found = load_config(tmp_path / FILE)
        assert found.ledger_url.startswith("postgresql://")
        assert found.lake.startswith("s3://")
        assert found.source == "files:/deliveries"


def test_what_is_made_is_what_the_settings_name():
    """`tradex init` of compose and of Kubernetes makes the very ledger and lake that the settings beside it name."""
    texts = {"compose": (parts.DEPLOY / "compose" / FILE).read_text(encoding="utf-8")}
    texts["tradex-init"] = next(one["data"][FILE] for one in parts.manifests() if FILE in one.get("data", {}))
    inits = [(place.split()[0], words) for place, words in TRADEX if words[1] == "init"]
    assert {place for place, _ in inits} == texts.keys()
    for place, words in inits:
        with parts.parse(words[1:]) as context:
            for name in ("ledger", "lake"):
                assert f'{name} = "{context.params[name]}"' in texts[place]


def test_every_image_is_pinned_and_ours_is_of_this_release():
    found = images()
    assert [image for image in found if not PINNED.fullmatch(image)] == []
    assert {image for image in found if image.startswith("tradex-ledger")} == {f"tradex-ledger:{__version__}"}
    assert f"tradex_ledger-{__version__}-py3-none-any.whl" in (parts.DEPLOY / "Containerfile").read_text("utf-8")


def test_no_file_holds_a_secret():
    for name, value in environments():
        if SECRET.search(name):
            assert name.endswith("_FILE") or "secretKeyRef" in value, name
    for path in (path for path in parts.DEPLOY.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"//[^/@\s]*:[^/@\s]*@", text), path
        assert not re.search(
            r"AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY|(?i:password|secret|token)\s*[=:]\s*\w{8}", text
        )


def test_each_variable_of_ours_is_one_that_the_program_reads():
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    ours = {name for name, _ in environments() if name.startswith("TRADEX_")}
    assert ours
    assert {name for name in ours if f'"{name}"' not in sources} == set()


def test_a_workers_end_is_heard_and_what_no_restart_mends_is_not_restarted():
    service = parts.unit(parts.DEPLOY / "systemd" / "tradex-worker.service")["Service"]
    assert service["SuccessExitStatus"] == ["143"]
    assert service["RestartPreventExitStatus"] == ["2 3 4 7"]  # README: usage, refused, not found, broken ledger


def test_the_packages_of_the_image_are_the_extras_that_there_are():
    text = (parts.DEPLOY / "Containerfile").read_text(encoding="utf-8")
    (named,) = re.findall(r"\$wheel\[([\w,]+)\]", text)
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"[dev,{named}]" in make


@pytest.mark.soak
@pytest.mark.parametrize(("place", "words"), DAGSTER, ids=[place for place, _ in DAGSTER])
def test_dagster_takes_its_commands(place: str, words: list[str]):
    program = Path(sys.executable).with_name(words[0])
    said = subprocess.run([program, *words[1:], "--help"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_both_homes_of_dagster_are_alike():
    systemd, compose = ((parts.DEPLOY / where / "dagster.yaml").read_text("utf-8") for where in ("systemd", "compose"))
    assert systemd.splitlines()[1:] == compose.splitlines()[1:]


@pytest.mark.parametrize("path", parts.SCRIPTS, ids=lambda path: path.name)
def test_each_script_says_what_it_does_and_takes(path: Path):
    said = subprocess.run([path, "--help"], capture_output=True, text=True, check=True).stdout
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    taken = set(re.findall(r"^ +(?:-C \| --workspace|(--[a-z-]+))\)", text, re.M)) - {""}
    assert len(taken) > 5
    assert {option for option in taken if option not in said} == set()
    wrong = [str(path), "--nobody-knows-this", "x"]
    nobody = subprocess.run(wrong, capture_output=True, check=False)
    assert nobody.returncode == 2
