"""What we sign, prove and lay out holds for tools that we did not write; what somebody changed does not.

Each is skipped, with what to install, where its tool is not: Go with golang.org/x/mod (Debian: golang-go,
golang-golang-x-mod-dev), Node.js with npm, which is asked for @sigstore/verify, and what VERIFY.md asks for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import evidence
from tests.kit.evidence import ORIGIN, SIGNER, WITNESS
from tests.kit.tiled import add, opened, store_of
from tradex_ledger.audit.bundle import sums
from tradex_ledger.sealing.note import SignerKey
from tradex_ledger.sealing.tiles import export

HERE = Path(__file__).parent
GOPATH = "/usr/share/gocode"
SIGSTORE = "@sigstore/verify@3.1.1"
KEY, WITNESS_KEY = SIGNER.verifier.text, WITNESS.verifier.text
OTHER_KEY = SignerKey(ORIGIN, SIGNER.kind, bytes(32)).verifier.text
Said = tuple[bool, str]
"""Whether a tool found all in order, and what it printed."""
Check = Callable[..., Said]


def ran(command: list[str], **environment: str) -> Said:
    """What came of a command."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Programs in Go, built with the library as Debian has it, or as GOPATH says."""
    go = shutil.which("go")
    path = os.environ.get("GOPATH", GOPATH)
    if go is None or not Path(path, "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("no Go with golang.org/x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")

    def build(source: Path) -> Path:
        made = folder / source.stem
        how = {"GO111MODULE": "off", "GOPATH": path, "GOCACHE": str(folder / "cache"), "CGO_ENABLED": "0"}
        fine, said = ran([go, "build", "-o", str(made), str(source)], **how)
        assert fine, said
        return made

    return build


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of Node's modules that has @sigstore/verify, which npm brings."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js with npm: apt-get install nodejs npm")

    def install(folder: Path) -> None:
        options = ["--ignore-scripts", "--no-fund", "--no-audit", "--prefer-offline", "--prefix", str(folder)]
        options += ["--fetch-retries", "0"]  # a registry that cannot be reached is tried for a minute else
        fine, said = ran(["npm", "install", *options, SIGSTORE])
        if not fine:
            pytest.skip(f"npm does not bring {SIGSTORE}: {said.strip().splitlines()[-1]}")

    return worlds.made("sigstore", install) / "node_modules"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> evidence.Told:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen: apt-get install openssh-client")
    return evidence.tell(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def whole(told: evidence.Told) -> dict[str, bytes]:
    return told.files()


@pytest.fixture(scope="module")
def go(built: Callable[[Path], Path], whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Check:
    """The program in Go that is in the folder."""
    source = tmp_path_factory.mktemp("source") / "check.go"
    source.write_bytes(whole["check.go"])
    program = str(built(source))
    return lambda folder, *keys: ran([program, str(folder), *keys])


@pytest.fixture(scope="module")
def sigstore(modules: Path) -> Check:
    """The program for Node.js that is in the folder."""
    return lambda folder, key: ran(["node", f"{folder}/check.cjs", str(folder), key], NODE_PATH=str(modules))


@pytest.fixture(scope="module")
def by_hand(whole: dict[str, bytes]) -> Check:
    """The steps of VERIFY.md, as they stand there; `steps`: only those, by their numbers."""
    if missing := [tool for tool in ("bash", "sha256sum", "openssl", "jq") if shutil.which(tool) is None]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install coreutils openssl jq")
    blocks = re.findall(r"```sh\n(.*?)```", whole["VERIFY.md"].decode(), re.DOTALL)

    def check(folder: Path, key: str, steps: str = "123456", lake: str = "") -> Said:
        script = "".join(blocks[int(step) - 1] for step in steps)
        return ran(["bash", "-c", f"cd '{folder}'\n{script}"], KEY=key, LAKE=lake)

    return check


def replaced(files: dict[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    """The files with a text in one of them another, and the digests made anew, as who forges would."""
    assert old in files[name], (name, old)
    found = files | {name: files[name].replace(old, new, 1)}
    return found | {"SHA256SUMS": sums(found)}


def forgeries(whole: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each way to forge what the signature and the tree hold, with what it is."""
    number = "000000000000011"
    entry, proof = f"entries/{number}.json", f"proofs/{number}.tlog-proof"
    lines = whole[proof].split(b"\n")
    _, size, root, _, signature, *_ = whole["checkpoint"].split(b"\n")
    yield "an event", replaced(whole, entry, b'"by":"ben"', b'"by":"ana"')
    yield "a space in an event", replaced(whole, entry, b'"by":', b'"by": ')
    yield "a hash of the path", replaced(whole, proof, lines[2], bytes([lines[2][0] ^ 1]) + lines[2][1:])
    yield "a hash less", replaced(whole, proof, lines[2] + b"\n", b"")
    yield "a hash twice", replaced(whole, proof, lines[2], lines[2] + b"\n" + lines[2])
    yield "two hashes swapped", replaced(whole, proof, lines[2] + b"\n" + lines[3], lines[3] + b"\n" + lines[2])
    yield "the index", replaced(whole, proof, b"index 10", b"index 9")
    for name, old, new in (
        ("the size", b"\n%s\n" % size, b"\n%d\n" % (int(size) - 1)),
        ("the root", root, bytes([root[0] ^ 1]) + root[1:]),
        ("the origin", ORIGIN.encode() + b"\n", ORIGIN.encode() + b"0\n"),
        ("the signature", signature[-20:], signature[-20:-10] + bytes([signature[-10] ^ 1]) + signature[-9:]),
    ):
        found = whole
        for file in (file for file in whole if file == "checkpoint" or file.startswith("proofs/")):
            found = replaced(found, file, old, new)
        yield name, found
    less = {name: content for name, content in whole.items() if name != proof}
    yield "a proof is missing", less | {"SHA256SUMS": sums(less)}


def test_go_finds_all_events_under_the_checkpoint_that_ledger_and_witness_signed(
    go: Check, whole: dict[str, bytes], tmp_path: Path
):
    folder = evidence.write(whole, tmp_path)
    count = sum(name.startswith("entries/") for name in whole)
    said = f"ok: {count} entries are under the checkpoint, which 2 keys have signed\n"
    assert go(folder, KEY, WITNESS_KEY) == (True, said)
    assert not go(folder, OTHER_KEY)[0]
    assert not go(folder, KEY, WITNESS_KEY.replace("w1", "w2"))[0]


def test_go_finds_each_forgery(go: Check, whole: dict[str, bytes], tmp_path: Path):
    for number, (what, files) in enumerate(forgeries(whole)):
        fine, said = go(evidence.write(files, tmp_path / str(number)), KEY, WITNESS_KEY)
        assert not fine, (what, said)


def test_sigstore_finds_all_events_under_the_checkpoint(sigstore: Check, whole: dict[str, bytes], tmp_path: Path):
    folder = evidence.write(whole, tmp_path)
    fine, said = sigstore(folder, KEY)
    assert fine, said
    assert said.endswith(f"entries are under the checkpoint, which {ORIGIN} has signed\n")
    assert not sigstore(folder, OTHER_KEY)[0]


def test_sigstore_finds_each_forgery(sigstore: Check, whole: dict[str, bytes], tmp_path: Path):
    for number, (what, files) in enumerate(forgeries(whole)):
        fine, said = sigstore(evidence.write(files, tmp_path / str(number)), KEY)
        assert not fine, (what, said)


def test_the_steps_by_hand_find_that_all_of_it_holds(by_hand: Check, whole: dict[str, bytes], tmp_path: Path):
    folder = evidence.write(whole, tmp_path / "evidence")
    evidence.write({evidence.LAKE_FILE: evidence.LAKE_BYTES}, tmp_path / "lake")
    fine, said = by_hand(folder, KEY, lake=str(tmp_path / "lake"))
    assert fine, said
    assert said.splitlines()[-1] == "all of it holds"
    assert 'Good "approval@tradex-ledger" signature for ben' in said
    evidence.write({evidence.LAKE_FILE: b"other"}, tmp_path / "lake")
    assert not by_hand(folder, KEY, "16", lake=str(tmp_path / "lake"))[0]
    assert not by_hand(folder, OTHER_KEY, "12")[0]


def test_the_steps_by_hand_take_the_key_as_it_was_given_before_the_ledger_lost_events(
    by_hand: Check, told: evidence.Told, tmp_path: Path
):
    later = evidence.Told(told.store, evidence.head_of(told.store, f"{ORIGIN}/3")).files()
    blocks = re.findall(r"```sh\n(.*?)```", later["VERIFY.md"].decode(), re.DOTALL)
    folder = evidence.write(later, tmp_path)
    for key, holds in ((KEY, True), (OTHER_KEY, False)):
        assert ran(["bash", "-c", f"cd '{folder}'\n{blocks[0]}{blocks[1]}"], KEY=key)[0] == holds
    assert not by_hand(folder, KEY, "12")[0], "those are the steps of the first line"


def test_the_steps_by_hand_ask_whether_a_key_counted_at_the_time(by_hand: Check, told: evidence.Told, tmp_path: Path):
    for when in ("before", "after"):
        (folder := tmp_path / when).mkdir()
        files = evidence.tell(folder, revoked=when).files()
        blocks = re.findall(r"```sh\n(.*?)```", files["VERIFY.md"].decode(), re.DOTALL)
        at = evidence.write(files, folder / "evidence")
        fine, said = ran(["bash", "-c", f"cd '{at}'\n{blocks[0]}{blocks[3]}{blocks[4]}"], KEY=KEY)
        assert fine == (when == "after"), said


@pytest.mark.parametrize("what", ["an event", "a hash of the path", "the size", "the root", "the signature"])
def test_the_steps_by_hand_find_a_forgery(by_hand: Check, whole: dict[str, bytes], what: str, tmp_path: Path):
    folder = evidence.write(dict(forgeries(whole))[what], tmp_path)
    assert by_hand(folder, KEY, "1")[0]
    fine, said = by_hand(folder, KEY, "123")
    assert not fine, said


def test_the_steps_by_hand_find_each_text_that_is_not_what_its_event_says(
    by_hand: Check, whole: dict[str, bytes], tmp_path: Path
):
    derived = [n for n in whole if n.startswith(("definitions/", "policies/", "approvals/", "keys/"))]
    assert len(derived) == 6
    assert by_hand(evidence.write(whole, tmp_path / "whole"), KEY, "145")[0]
    for number, name in enumerate([*derived, "files.sha256"]):
        changed = replaced(whole, name, whole[name], whole[name][:-2] + b"?\n")
        fine, said = by_hand(evidence.write(changed, tmp_path / str(number)), KEY, "145")
        assert not fine, (name, said)


def test_go_reads_a_ledger_by_its_tiles(built: Callable[[Path], Path], tmp_path: Path):
    program = str(built(HERE / "tiles.go"))
    engine = opened(tmp_path / "ledger.db")
    add(engine, 700)
    store = store_of(engine)
    export(store, tmp_path / "tiles", evidence.head_of(store))
    engine.dispose()
    assert ran([program, str(tmp_path / "tiles"), KEY]) == (True, "ok: 700 entries are those of the signed tree\n")
    for name in ("tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/188", "checkpoint"):
        path = tmp_path / "tiles" / name
        content = path.read_bytes()
        at = len(content) // 2
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not ran([program, str(tmp_path / "tiles"), KEY])[0], name
        path.write_bytes(content)
