"""Object stores of a test's own, over real HTTP: SeaweedFS, which checks signatures, and moto's server.

Each is started once a process, on free ports, in a folder of its own, and ends with the process, even one that is
killed: the system sends it a signal. What it keeps it keeps in memory where there is room for that.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

KEY, SECRET, BUCKET = "tradex-test-key", "tradex-test-secret", "tradex-lake"
_SECONDS = 60
_TRIES = 3
_PORTS = 8
_LAUNCH = """
import ctypes, os, signal, sys
os.setsid()  # it hears no Ctrl-C of the terminal
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it dies with who started it
os.execv(sys.argv[1], sys.argv[1:])
"""
_names = count()


@dataclass(frozen=True, slots=True)
class Store:
    """An object store that runs: where, and its process. It has a bucket."""

    name: str
    endpoint: str
    process: subprocess.Popen[bytes]
    checks_signatures: bool

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """What a program has to be told to reach it, or to reach it through something else."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def use(self, patch: pytest.MonkeyPatch, endpoint: str | None = None, **more: str) -> None:
        """Have this process reach it, and no other one."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        for name, value in {**self.environment(endpoint), **files, **more}.items():
            patch.setenv(name, value)

    def client(self) -> S3Store:
        """To look at it from outside, and to break it."""
        return S3Store(
            BUCKET, endpoint=self.endpoint, region="us-east-1", access_key_id=KEY, secret_access_key=SECRET,
            client_options={"allow_http": True, "timeout": "5s"}, retry_config={"max_retries": 0},
        )  # fmt: skip


def fresh_url() -> str:
    """The URL of a lake that nobody has."""
    return f"s3://{BUCKET}/{os.getpid()}/lake-{next(_names)}"


def url_of(folder: Path) -> str:
    """The URL of the lake that belongs to a folder of a test."""
    return f"s3://{BUCKET}/{hashlib.sha256(bytes(folder)).hexdigest()[:16]}/lake"


def key_of(url: str, path: str) -> str:
    """The key of a file of a lake in its bucket."""
    return f"{url.removeprefix(f's3://{BUCKET}/')}/{path}"


def change(store: Store, url: str, path: str, content: bytes) -> None:
    """Put other bytes in a file's place, behind everybody's back."""
    obstore.put(store.client(), key_of(url, path), content)


@cache
def moto() -> Store:
    """moto's server, one a process."""
    return _started("moto", lambda ports, _: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", ports[0]])


@cache
def seaweed() -> Store:
    """SeaweedFS, one a process."""
    return _started("seaweedfs", _weed, checks_signatures=True)


STORES: dict[str, Callable[[], Store]] = {"moto": moto, "seaweedfs": seaweed}


def _weed(ports: list[str], folder: Path) -> list[str]:
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = ports
    return [
        str(Path(sysconfig.get_path("scripts"), "weed")), "-logdir", str(folder), "server", f"-dir={folder}",
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-master.port.grpc={master_grpc}",
        f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", f"-filer.port={filer}",
        f"-filer.port.grpc={filer_grpc}", f"-filer.localSocket={folder}/f", "-s3", f"-s3.port={s3}",
        f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={folder}/s",
        f"-s3.config={folder}/s3.json", "-master.volumeSizeLimitMB=64", "-volume.max=16",
    ]  # fmt: skip


def _started(name: str, command: Callable[[list[str], Path], list[str]], *, checks_signatures: bool = False) -> Store:
    """Start a server and wait for it; again on other ports where somebody else took one meanwhile."""
    for tried in range(1, _TRIES + 1):
        folder = Path(tempfile.mkdtemp(prefix=f"tradex-{name}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        ports = _free_ports()
        with (folder / "log").open("wb") as log:
            launch = [sys.executable, "-c", _LAUNCH, *command(ports, folder)]
            process = subprocess.Popen(launch, stdout=log, stderr=log, cwd=folder)
        atexit.register(_stop, process)
        made = Store(name, f"http://127.0.0.1:{ports[0]}", process, checks_signatures)
        if _make_bucket(made):
            return made
        _stop(process)
        if tried == _TRIES:
            raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
    raise AssertionError


def _make_bucket(made: Store) -> bool:
    """Wait until the store answers, and make the bucket: boto is what makes one."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    options = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    client = boto3.client(
        "s3", endpoint_url=made.endpoint, region_name="us-east-1", aws_access_key_id=KEY,
        aws_secret_access_key=SECRET, config=options,
    )  # fmt: skip
    until = time.monotonic() + _SECONDS
    has_bucket = False
    while time.monotonic() < until and made.process.poll() is None:
        try:
            if not has_bucket:
                client.create_bucket(Bucket=BUCKET)
                has_bucket = True
            obstore.put(made.client(), "ready", b"")
        except (BotoCoreError, ClientError, BaseError, FileNotFoundError):
            time.sleep(0.05)
        else:
            client.close()
            return True
    return False


def _free_ports() -> list[str]:
    held = [socket.socket() for _ in range(_PORTS)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait(_SECONDS)
