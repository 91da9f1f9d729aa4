"""The report of a run: it says what the events say, the same bytes each time; it does nothing; and who follows its own
words proves it with tools of others."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
import tarfile
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.golden import record
from tests.kit import evidence, rfc9162, signing, small
from tests.kit.evidence import LEDGER, RUN, SIGNER
from tests.kit.lake_folder import root_of
from tradex_ledger.audit import bundle
from tradex_ledger.audit.bundle_check import checked
from tradex_ledger.audit.draw.times import Bar
from tradex_ledger.audit.evidence import gathered, lacking
from tradex_ledger.audit.lived import bars_of
from tradex_ledger.audit.reader import Reader
from tradex_ledger.audit.report import FORM, FORMS, StrangeEventError, archive_of, form_of, report
from tradex_ledger.audit.report_facts import facts
from tradex_ledger.clock import process_name
from tradex_ledger.ledger.ask import of_stream
from tradex_ledger.ledger.backup import FileThereError
from tradex_ledger.ledger.entry import canonical, parse
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import open_store
from tradex_ledger.relations.days import PLANS
from tradex_ledger.relations.runs import RUNS
from tradex_ledger.resources import read_text
from tradex_ledger.sealing.checkpoint import Checkpoint
from tradex_ledger.sealing.proving import NotCoveredError, proofs
from tradex_ledger.workspace import Workspace

GOLDEN = Path(record.__file__).parent
VOID = {"meta", "br"}
DRAWN = {"d", "x", "y", "x1", "y1", "x2", "y2", "rx", "width", "height", "viewbox", "transform", "text-anchor",
         "role", "aria-label", "aria-hidden"}  # fmt: skip
FROZEN = {
    "report.v1.html": "f8ebcd1c4dbac2d5278fc87d94f66fadf605aaa5d6aa2b331bb71f9ac4aea375",
    "report.v1.css": "aca5f85a6d16b0499d3952029c5b6f9eba4b9bd1a32227b46419db4990d26fa2",
    "report.v2.html": "5ac139f983d9652d03bede3527c178728489a228b752fbd07fb620512431773e",
    "report.v2.css": "8882e7f0c9343485e0fc253b042f7671ba572a9ac7caf3e7a5e54a970ee658c8",
    "told, v1": "1b4fe0dfbd3f35ccfce583824ee8bf82d0619bcfa1ce585c3c96ae2beb63c15c",
    "told, v2": "7b1d678558b95e5083fcfae809cbb1f50cd42c503e4273363034ab8248162adb",
    "golden, v1": "f6444f09d439b57626db530bc2493abe98c18b69c8c224811a586c9544e724c1",
    "golden, v2": "3d5876b729dbc3538bcb91955facb551ddc6f0698872609ae039229a3bf370c1",
}
"""SHA-256 of what a form is made of, and of what it made: another one is another form, and has another number."""


class Read(HTMLParser):
    """A report as a reader has it: its texts, its elements with their attributes, and whether they are closed."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(content.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag != "style")

    def of(self, tag: str) -> list[str]:
        return [text for one, text in self.texts if one == tag]


def check_does_nothing(content: bytes) -> None:
    """No script, no handler, no form; nothing is loaded, and nothing leads away but the archive."""
    page = Read(content)
    allowed = {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "h1",
            "h2",
            "h3",
            "p",
            "b",
            "br",
        ),
        *("code", "pre", "table", "thead", "tbody", "tr", "th", "td", "span", "a"),
        *("details", "summary", "dl", "div", "dt", "dd", "figure", "figcaption"),
        *("svg", "g", "path", "rect", "line", "text"),
    }
    assert {tag for tag, _ in page.elements} <= allowed
    names = {name for _, attributes in page.elements for name in attributes}
    assert (
        names
        <= {
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "class",
            "scope",
            "href",
            "download",
            "colspan",
            "tabindex",
        }
        | DRAWN
    )
    links = [attributes["href"] for name, attributes in page.elements if name == "a"]
    assert all(str(link).startswith("data:application/x-tar;base64,") for link in links)
    (policy,) = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    assert str(policy).startswith("default-src 'none'; style-src 'sha256-")
    (style,) = re.findall(rb"<style>(.*?)</style>", content, re.DOTALL)
    assert f"sha256-{_digest64(style)}'" in str(policy)
    assert b"url(" not in style
    assert b"@import" not in style


def _digest64(content: bytes) -> str:
    return b64encode(sha256(content).digest()).decode()


# -- from a small ledger that was told without the program


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> evidence.Told:
    return evidence.tell(tmp_path_factory.mktemp("told"), signs=False)


def made(told: evidence.Told) -> bytes:
    """A report that stands alone."""
    found = gathered(told.store, RUN)
    proven = proofs(told.store, told.signed, found.events)
    content = [event.entry.encode() for event in found.events]
    subject = bundle.Subject(RUN, LEDGER, told.signed.checkpoint, tuple(found.lacking))
    laid = bundle.files(subject, content, proven, told=False)
    note, verify = proven[0].note, laid[bundle.HELP].decode()
    return report(subject, list(map(parse, content)), content, note, alone=(verify, archive_of(laid)))


def test_a_form_stays_as_it_is(told: evidence.Told):
    names = [name for name in FROZEN if name.startswith("report.")]
    found = {name: sha256(read_text("schema", "evidence", name).encode()).hexdigest() for name in names}
    for form in sorted(FORMS):
        found[f"told, v{form}"] = sha256(_in_form(told, form)).hexdigest()
        found[f"golden, v{form}"] = sha256(b"".join(_golden(form))).hexdigest()
    assert found == FROZEN


def _in_form(told: evidence.Told, form: int) -> bytes:
    """The report beside the evidence, as a release of a form lays it."""
    content = [event.entry.encode() for event in gathered(told.store, RUN).events]
    subject = bundle.Subject(RUN, LEDGER, told.signed.checkpoint)
    return report(subject, list(map(parse, content)), content, told.files()[bundle.CHECKPOINT].decode(), form=form)


def _golden(form: int) -> list[bytes]:
    """The reports of the runs of all ledgers of other releases: what a form draws and says is held by them."""
    found = []
    for file in sorted(GOLDEN.glob("ledger_v*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        entries = [parse(canonical(line)) for line in lines]
        for run in sorted({entry.stream for entry in entries if re.match("(bf|run)-", entry.stream)}):
            own = [entry for entry in entries if entry.stream == run]
            subject = bundle.Subject(run, own[0].ledger, Checkpoint(f"tradex-ledger/{own[0].ledger}", 9, bytes(32)))
            found.append(report(subject, own, [b""] * len(own), "a head\n", form=form))
    return found


def test_it_says_who_asked_who_approved_and_which_logic_was_run(told: evidence.Told):
    page = Read(made(told))
    entries = [parse(event.entry.encode()) for event in gathered(told.store, RUN).events]
    asked = next(entry for entry in entries if entry.topic == "backfill.requested")
    assert page.of("h1") == [asked.data["reason"]]
    for text in (LEDGER, RUN, told.signed.checkpoint.root.hex(), evidence.PLAN, told.signed.opened.text.rstrip()):
        assert text in page.text
    for text in (evidence.DEFINITION, evidence.POLICY):
        assert text in page.of("pre")
    for entry in entries:
        if entry.stream == RUN:
            assert entry.topic in page.of("b") or entry.topic.partition(".")[0] in page.text
    (listed,) = [text for text in page.of("pre") if text.startswith(f"{entries[0].position}  ")]
    hashes = [rfc9162.leaf_hash(event.entry.encode()).hex() for event in gathered(told.store, RUN).events]
    assert listed == "".join(f"{e.position}  {hash_}\n" for e, hash_ in zip(entries, hashes, strict=True))
    for text in (evidence.DEFINITION, evidence.POLICY, listed):
        assert sha256(text.encode()).hexdigest() in page.of("code")  # what is folded is known by its digest


def test_it_does_nothing(told: evidence.Told):
    check_does_nothing(made(told))
    check_does_nothing(told.files()[bundle.REPORT])


HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}\u202egnp.exe\x1b[2J"


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path, told: evidence.Told):
    (asked,) = [e for e in gathered(told.store, RUN).events if e.topic == "backfill.requested"]
    reason = parse(asked.entry.encode()).data["reason"]
    story = evidence.forged(told, tmp_path, asked.position, reason, canonical({"": HOSTILE}).decode()[5:-2])
    content = made(story)
    check_does_nothing(content)
    (title,) = Read(content).of("h1")
    assert title == HOSTILE.replace("\u202e", r"\u202e").replace("\x1b", r"\x1b")
    assert b"\xe2\x80\xae" not in content


@pytest.mark.parametrize(
    ("topic", "said", "shown"),
    [("backfill.approved", '"by":"ben"', 22), ("run.partition_rebuilt", '"dataset":"gold"', 40)],
)
def test_hostile_text_in_a_picture_is_shown_cut_and_does_nothing(
    tmp_path: Path, told: evidence.Told, topic: str, said: str, shown: int
):
    (event,) = [e for e in gathered(told.store, RUN).events if e.topic == topic]
    name = said.partition(":")[0]
    story = evidence.forged(told, tmp_path, event.position, said, f"{name}:{canonical({'': HOSTILE}).decode()[4:-1]}")
    content = made(story)
    check_does_nothing(content)
    assert f"{HOSTILE[: shown - 1]}…" in Read(content).of("text")
    assert b"\xe2\x80\xae" not in content


def test_an_event_that_lacks_what_it_must_say_is_told_of(told: evidence.Told):
    entries = [parse(event.entry.encode()) for event in gathered(told.store, RUN).events]
    strange = [e._replace(data={"windows": "none"}) if e.topic == "backfill.planned" else e for e in entries]
    subject = bundle.Subject(RUN, LEDGER, told.signed.checkpoint)
    with pytest.raises(StrangeEventError, match="lacks what it must say"):
        report(subject, strange, [b""] * len(strange), "")


# -- by its own words, with tools of others


def unpacked(content: bytes, folder: Path, bash: str) -> None:
    """What a report has inside, got out by the lines that stand in it."""
    (folder / "report.html").write_bytes(content)
    done = subprocess.run(["bash", "-euc", bash], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_who_follows_its_words_verifies_its_proofs_with_tools_of_others(told: evidence.Told, tmp_path: Path):
    if missing := [tool for tool in ("bash", "sha256sum", "openssl", "jq", "tar") if shutil.which(tool) is None]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install coreutils openssl jq tar")
    blocks = [html.unescape(one) for one in re.findall(r"<pre[^>]*>(.*?)</pre>", made(told).decode(), re.DOTALL)]
    (bash,) = [one for one in blocks if one.startswith("grep -o")]
    unpacked(made(told), tmp_path, bash)
    (words,) = [one for one in blocks if one.startswith("# How to check")]
    assert words == (tmp_path / "evidence" / "VERIFY.md").read_text(encoding="utf-8")
    steps = "".join(re.findall(r"```sh\n(.*?)```", words, re.DOTALL))
    for key, holds in ((SIGNER.verifier.text, True), (evidence.WITNESS.verifier.text, False)):
        done = subprocess.run(
            ["bash", "-c", steps],
            cwd=tmp_path / "evidence",
            env={"PATH": "/usr/bin:/bin", "KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0, "all of it holds" in done.stdout) == (holds, holds), done.stderr


def test_its_events_lead_to_the_root_by_the_words_of_the_rfc_alone(told: evidence.Told):
    """Nothing but Python's own library: what is behind the link is an archive of events and paths."""
    (link,) = re.findall(r'href="data:application/x-tar;base64,([^"]*)"', made(told).decode())
    with tarfile.open(fileobj=io.BytesIO(b64decode(link, validate=True))) as tape:
        files = {one.name: tape.extractfile(one).read() for one in tape}  # type: ignore[union-attr]  # all are files
    _, size, root = files["checkpoint"].decode().split("\n")[:3]
    names = [name for name in files if name.startswith("entries/")]
    assert len(names) == len(gathered(told.store, RUN).events)
    for name in names:
        lines = files[name.replace("entries/", "proofs/").replace(".json", ".tlog-proof")].decode().split("\n")
        path = [b64decode(line) for line in lines[2 : lines.index("")]]
        number = int(lines[1].removeprefix("index "))
        assert _led(sha256(b"\0" + files[name]).digest(), number, int(size), path) == b64decode(root)
        assert json.loads(files[name])["position"] == number + 1


def _led(found: bytes, node: int, size: int, path: list[bytes]) -> bytes:
    """Where a path leads (RFC 9162, 2.1.3.2)."""
    last = size - 1
    for sibling in path:
        if node & 1 or node == last:
            found = sha256(b"\x01" + sibling + found).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + sibling).digest()
        node, last = node >> 1, last >> 1
    assert last == 0
    return found


# -- beside the evidence


def _problems(files: dict[str, bytes]) -> list[tuple[str, str]]:
    keys = [SIGNER.verifier]
    return [(one.file, one.problem) for one in checked(files, keys).findings]


def _with(files: dict[str, bytes], content: bytes | None) -> dict[str, bytes]:
    found = {name: one for name, one in files.items() if name != bundle.REPORT}
    found |= {} if content is None else {bundle.REPORT: content}
    return found | {bundle.SUMS: bundle.sums(found)}


def test_a_checker_makes_the_report_again(told: evidence.Told):
    whole = told.files()
    assert form_of(whole[bundle.REPORT]) == FORM
    assert _problems(whole) == []
    assert _problems(_with(whole, None)) == []  # evidence of before has none
    other = whole[bundle.REPORT].replace(b"<b>ben</b>", b"<b>eve</b>")
    assert other != whole[bundle.REPORT]
    assert _problems(_with(whole, other)) == [(bundle.REPORT, "it is not what the events say")]
    assert _problems(_with(whole, b"<p>all is well</p>")) == [(bundle.REPORT, "it is no report")]
    assert _problems(_with(whole, _in_form(told, 1))) == []  # nor does that of a former release end with it
    later = whole[bundle.REPORT].replace(b'content="v2"', b'content="v3"')
    assert _problems(_with(whole, later)) == [(bundle.REPORT, "its form 3 is of another release: check with that")]


def test_an_archive_is_the_same_bytes_for_the_same_files():
    files = {"b/2": b"two", "a": b"", "b/1": b"1" * 1_000}
    assert archive_of(files) == archive_of(dict(reversed(files.items())))
    assert sha256(archive_of(files)).hexdigest() == "f2a7cdfbd184af2ff5c62097166a0b47fa51a7368d36bb55e28944027d98f431"


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_it_is_told_of_every_run_that_ledgers_of_other_releases_hold(version: str, tmp_path: Path):
    lines = (GOLDEN / f"ledger_v{version}.jsonl").read_text(encoding="utf-8").splitlines()
    engine, _ = record.load(lines, f"sqlite:///{tmp_path / 'ledger.db'}")
    engine.dispose()
    store = open_store(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    runs = {json.loads(line)["stream"] for line in lines if re.search(r'"stream":\s*"(bf|run)-', line)}
    assert runs
    for run in sorted(runs):
        found = gathered(store, run)
        entries = [parse(event.entry.encode()) for event in found.events]
        assert lacking(run, entries) == found.lacking
        subject = bundle.Subject(run, store.ledger, Checkpoint(f"tradex-ledger/{store.ledger}", len(lines), bytes(32)))
        content = [event.entry.encode() for event in found.events]
        page = report(subject, entries, content, "a head\n")
        check_does_nothing(page)
        own = sum(entry.stream == run for entry in entries)
        assert own >= len(facts(subject, entries)["events"]) // 2 > 0


# -- of a workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A workspace, its forced backfill, and the position at which that was published."""
    root = tmp_path_factory.mktemp("report")
    folder = worlds.copied(root, thin=True)
    (root / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(folder) as workspace:
        asked = small.request(workspace, 3, 4, **small.FORCED)
    with small.reopen(folder, "ben") as workspace:
        signing.approve(workspace, asked)
        workspace.runs.drive(asked)
        return folder, asked, workspace.ledger.position()


def _report(folder: Path, run: str, as_of: Any = None, **how: Any) -> bytes:
    with Workspace.open(folder, reading=True) as workspace:
        return workspace.audit.report_of(run, as_of, **how)[1]


def _sign(folder: Path) -> None:
    with small.reopen(folder) as workspace:
        workspace.seals.cut()


def test_as_of_a_position_it_is_the_same_bytes_whatever_comes_after(ws: tuple[Path, str, int]):
    folder, run, position = ws
    _sign(folder)
    first = _report(folder, run, str(position))
    assert _report(folder, run, str(position)) == first
    with small.reopen(folder, "ana") as workspace:
        workspace.backfills.revert(run, reason="it was not what was asked for, INC-8")
    _sign(folder)
    assert _report(folder, run, str(position)) == first
    assert "REVERTED" in Read(_report(folder, run)).of("b")
    assert "SUCCESS" in Read(first).of("b")


def test_it_tells_which_rows_changed_by_their_key(ws: tuple[Path, str, int], tmp_path: Path):
    folder, run, position = ws
    _sign(folder)
    page = Read(_report(folder, run, str(position)))
    assert "Which rows changed" in page.of("h2")
    assert any("TSLA" in text for text in page.of("td"))
    assert "Which rows changed" not in Read(_report(folder, run, str(position), rows=False)).of("h2")
    copy = small.copied(folder.parent, tmp_path / "copy")
    with small.reopen(copy) as workspace:
        for file in root_of(workspace).glob(f"**/{run}-*.parquet"):
            file.unlink()
    said = Read(_report(copy, run, str(position))).text
    assert "The files of the lake could not be compared:" in said


def test_what_nobody_signed_for_is_not_reported(tmp_path: Path):
    folder = worlds.copied(tmp_path, thin=True)
    with small.reopen(folder) as workspace:
        run = small.request(workspace)
        with pytest.raises(NotCoveredError):
            workspace.audit.report_of(run, str(workspace.ledger.position()))
        workspace.seals.cut()
        file = tmp_path / "one.html"
        assert workspace.audit.report(run, file).sha256 == sha256(file.read_bytes()).hexdigest()
        with pytest.raises(FileThereError):
            workspace.audit.report(run, file)


# -- on paper


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _printed(content: bytes, folder: Path) -> tuple[int, str]:
    """How many sheets it takes, and what stands on them."""
    if CHROMIUM is None or shutil.which("pdftotext") is None:
        pytest.skip("there is no Chromium here, or nothing that reads what it prints (apt-get install poppler-utils)")
    (folder / "report.html").write_bytes(content)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    sheet = folder / "report.pdf"
    subprocess.run(
        [*command, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={sheet}", str(folder / "report.html")],
        check=True,
        capture_output=True,
        timeout=120,
    )
    text = subprocess.run(["pdftotext", "-layout", str(sheet), "-"], check=True, capture_output=True, text=True).stdout
    return text.count("\f"), text


def test_printed_it_is_a_few_sheets_and_each_says_of_what_it_is(ws: tuple[Path, str, int], tmp_path: Path):
    folder, run, position = ws
    _sign(folder)
    content = _report(folder, run, str(position))
    sheets, text = _printed(content, tmp_path)
    assert 3 <= sheets <= 5
    (root,) = re.findall(r'class="head">.*?<code>([0-9a-f]{64})</code>', content.decode(), re.DOTALL)
    assert text.count(f"{run} · position {position} · head {root}") == sheets
    for heading in ("What was asked for", "Who decided", "How it went", "What it built", "Which rows changed",
                    "Its events", "The logic that was run", "The proof", "How to check it without us"):  # fmt: skip
        assert heading in text
    for word in ("approved", "published", "worked", "backfill.completed", "gold_metrics", "In the file: VERIFY.md"):
        assert word in text
    page = Read(content)
    texts = [one for one in page.of("pre") if one.startswith(("-- ", "# How", "select"))]
    assert texts
    for one in texts:  # named by their digests, and not laid out
        assert sha256(one.encode()).hexdigest() in text
        assert one.splitlines()[-1] not in text


def check_windows(folder: Path) -> list[Bar]:
    """The windows of each run are those that the projection has; returns them."""
    found: list[Bar] = []
    with Workspace.open(folder, reading=True) as workspace:
        store = workspace.ledger.store
        reader = Reader(store)
        for run in reader.read(RUNS, "true"):
            own = [entry_of(store.ledger, one) for one in reversed(list(of_stream(store, run.run_id)))]
            windows = reader.of_run(PLANS, run.run_id, "position, number, dataset")
            known = sorted(
                (w.dataset, w.layer, w.began_at, w.built, w.began_is_told, tuple(w.workers))
                for w in windows
                if w.began_at and w.ended_at
            )
            bars = bars_of(own)
            assert known
            drawn = [(b.row, b.layer, b.begin.replace(tzinfo=None), b.days, b.is_told, b.workers) for b in bars]
            assert sorted(drawn) == known
            found += bars
        reader.close()
    return found


def test_a_window_is_drawn_when_the_projection_says_it_was_built(ws: tuple[Path, str, int]):
    assert not all(bar.is_told for bar in check_windows(ws[0])), "by a clock that ticks, most are worked out"


def test_where_its_worker_says_when_it_began_it_is_drawn_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = small.Ticking(worlds.RAN)
    small.workers_tell(monkeypatch, clock)
    folder = worlds.copied(tmp_path, days=3, until=None, thin=True)
    with Workspace.open(folder, actor="ana", clock=clock) as workspace:
        run_id = workspace.incremental.run(last=small.day(3)).id
    bars = check_windows(folder)
    assert all(bar.is_told for bar in bars)
    assert {*(bar.workers for bar in bars)} == {(), (process_name(),)}, "what is taken from a source has none"
    _sign(folder)
    said = Read(_report(folder, run_id)).text
    assert f"built by {process_name()}; windows begin when their workers say that they did" in said
