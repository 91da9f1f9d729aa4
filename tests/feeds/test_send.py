"""A receiver is told everything, in order, each once: whatever fails, hangs, or dies."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.feeds import told
from tests.kit import small
from tests.kit.receiver import Got, Receiver, receiver
from tests.kit.tree import ROOT
from tradex_ledger.domain.feeds import FeedSetting
from tradex_ledger.errors import TradexError
from tradex_ledger.feeds.errors import FeedDownError, FeedGoneError, SentElsewhereError
from tradex_ledger.feeds.follow import FIRST_PAUSE_S, LONGEST_PAUSE_S, Followers, Pace
from tradex_ledger.feeds.http import Posts
from tradex_ledger.feeds.open import open_feed
from tradex_ledger.feeds.port import TAKEN, Answer, Feed, Holds, Message
from tradex_ledger.feeds.send import Pause, Sent, send
from tradex_ledger.ledger.ask import tracked
from tradex_ledger.workspace import Workspace


def positions(found: list[Got]) -> list[int]:
    return [int(one.id.rpartition("-")[2]) for one in found]


def told_all(ws: Path, name: str | None = None) -> list[TradexError]:
    with small.reopen(ws) as workspace:
        return workspace.feeds.send(name)[1]


def reached(ws: Path, name: str) -> int | None:
    with small.reopen(ws) as workspace:
        return tracked(workspace.ledger.store, f"feed {name}")


def feed_of(workspace: Workspace, name: str) -> Feed:
    (setting,) = (one for one in workspace.config.feeds if one.name == name)
    return open_feed(setting, workspace.ledger.store, workspace.core.clock)


class Waits(list[float]):
    """Pauses that take no time, as they were asked for."""

    def __call__(self, seconds: float) -> bool:
        self.append(seconds)
        return True


def never(seconds: float) -> bool:
    raise AssertionError(f"nobody is to wait {seconds} s")


def test_all_is_told_in_order_each_once(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", f"{there.url}/hook?a=b")
    assert told_all(ws) == []
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
    assert positions(there.taken) == list(range(1, end + 1))
    assert {one.path for one in there.got} == {"/hook?a=b"}
    assert told_all(ws) == []
    assert len(there.got) == end == reached(ws, "desk")


def test_who_finds_nothing_new_takes_no_lease_and_asks_nobody(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    assert told_all(ws) == []
    there.got.clear()
    with small.reopen(ws) as workspace:
        assert workspace.ledger.leases.acquire("feed desk", "another", 30)
        sent, wrong = workspace.feeds.send()
        assert ([one.events for one in sent], wrong, there.got) == ([0], [], [])
        small.request(workspace, 2, 2)
        with pytest.raises(SentElsewhereError):
            send(workspace.ledger, feed_of(workspace, "desk"), "me", never)
    assert there.got == []


def test_only_those_of_its_topics_are_told_and_the_rest_is_passed(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*", "run.published"]')
    assert told_all(ws) == []
    with small.reopen(ws) as workspace:
        topics = {entry.position: entry.topic for entry in workspace.events()}
        (document,) = workspace.feeds.all()
    wanted = [at for at, topic in topics.items() if topic.startswith("backfill.") or topic == "run.published"]
    assert positions(there.taken) == wanted
    assert (document.position, document.behind) == (len(topics), 0)


def test_a_subscription_begins_with_what_happens_from_its_first_delivery_on(ws: Path, there: Receiver):
    told.add(ws, "subscriptions.desk", {"url": f'"{there.url}"', "secret_env": f'"{told.VARIABLE}"'})
    assert told_all(ws) == []
    assert there.got == []
    with small.reopen(ws) as workspace:
        before = workspace.ledger.position()
        small.request(workspace, 2, 2)
        end = workspace.ledger.position()
    assert told_all(ws) == []
    assert positions(there.taken) == list(range(before + 1, end + 1))


@pytest.mark.parametrize("answer", [500, 404, 429, 301, "drop"])
def test_what_is_not_taken_is_sent_again_before_anything_else(ws: Path, there: Receiver, answer: int | str):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    waited = Waits()
    there.answers = [200, answer, answer]
    with small.reopen(ws) as workspace:
        feed = feed_of(workspace, "desk")
        done = send(workspace.ledger, feed, "me", waited, (0.5, 1.0))
    assert waited == ([0.5] if answer == "drop" else [0.5, 1.0])  # a connection that was kept is made anew at once
    first, second, *_ = dict.fromkeys(positions(there.got))
    assert positions(there.got)[:4] == [first, second, second, second]
    assert len({one.body for one in there.got[1:4]}) == 1
    assert positions(there.taken) == sorted(set(positions(there.taken)))
    assert done.events == len(there.taken)


def test_a_receiver_that_is_down_is_told_of_and_its_position_stays(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", f"{there.url}/T0KEN", topics='["backfill.*"]')
    there.answers = [200, 500]
    with small.reopen(ws) as workspace, pytest.raises(FeedDownError) as caught:
        send(workspace.ledger, feed_of(workspace, "desk"), "me", never, ())
    first, second = positions(there.got)
    assert reached(ws, "desk") == first
    said = caught.value
    assert (f"position {second}" in said.message, "500" in said.message, "T0KEN" in said.message + said.mend) == (
        True,
        True,
        False,
    )
    assert told_all(ws) == []
    assert positions(there.taken)[:2] == [first, second]


def test_a_receiver_says_how_long_it_wants_to_be_left_alone(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    there.answers = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "900"})]
    waited = Waits()
    with small.reopen(ws) as workspace, pytest.raises(FeedDownError) as caught:
        send(workspace.ledger, feed_of(workspace, "desk"), "me", waited, (0.5, 0.5, 0.5))
    assert (waited, caught.value.again_s) == ([7.0], 900.0)


def test_a_time_to_come_again_is_by_the_receivers_own_clock(there: Receiver):
    dates = {"Retry-After": "Fri, 01 Mar 2024 00:01:30 GMT", "Date": "Fri, 01 Mar 2024 00:01:00 GMT"}
    there.answers = [(503, {"Retry-After": dates["Retry-After"]}), (503, {"Retry-After": "soon"})]
    posts = Posts(there.url)
    first, second = posts.post(b"{}", {}), posts.post(b"{}", {})
    posts.close()
    assert first.again_s == 0.0  # by our server's own date, which is later
    assert second == Answer("it answers 503")


def test_a_receiver_that_is_gone_is_left_alone(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    there.answers = [410]
    with small.reopen(ws) as workspace:
        followers = workspace.feeds.follow(every_s=0.01)
        followers.start()
        while followers.wait(0.01):
            pass
        (error,) = followers.news()
        followers.stop(finish=True)
    assert isinstance(error, FeedGoneError)
    assert len(there.got) == 1


@pytest.mark.parametrize("answer", ["hang", "trickle"])
def test_who_does_not_come_to_an_end_is_not_waited_for(there: Receiver, answer: str):
    there.answers = [answer]
    posts = Posts(there.url, timeout_s=0.3, whole_s=0.6)
    begun = time.monotonic()
    assert "no answer within" in str(posts.post(b"{}", {}).wrong)
    assert time.monotonic() - begun < 5
    assert posts.post(b"{}", {}) == TAKEN
    posts.close()


def test_a_connection_that_its_receiver_ended_is_made_anew(there: Receiver):
    posts = Posts(there.url)
    assert posts.post(b"1", {}) == TAKEN
    there.answers = ["drop"]
    assert posts.post(b"2", {}) == TAKEN
    assert [one.body for one in there.got] == [b"1", b"2", b"2"]
    there.answers = ["drop", "drop"]
    assert "no connection" in str(posts.post(b"3", {}).wrong)
    posts.close()


def test_no_proxy_of_the_environment_is_asked(there: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    posts = Posts(there.url)
    assert posts.post(b"{}", {}) == TAKEN
    posts.close()
    assert len(there.got) == 1


def test_only_a_certificate_that_is_believed_is_spoken_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key, certificate, both = (tmp_path / name for name in ("key.pem", "cert.pem", "both.pem"))
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    with receiver(both) as secure:
        port = secure.url.rpartition(":")[2]

        def posted(host: str) -> Answer:
            posts = Posts(f"https://{host}:{port}/hook")
            answer = posts.post(b"{}", {})
            posts.close()
            return answer

        assert "its certificate is not believed" in str(posted("localhost").wrong)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # now it is, for the name that it is of
        assert "its certificate is not believed" in str(posted("127.0.0.1").wrong)
        assert secure.got == []
        assert posted("localhost") == TAKEN
        assert len(secure.got) == 1


class Dies(BaseException):
    """The process ends here."""


def test_a_crash_between_delivery_and_position_repeats_that_one_and_no_other(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    with small.reopen(ws) as workspace:
        feed = feed_of(workspace, "desk")
        real = feed.open_sink()

        class Deadly:
            def deliver(self, message: Message) -> Answer:
                answer = real.deliver(message)
                if len(there.taken) == 3:
                    raise Dies
                return answer

            def holds(self) -> Holds | None:
                return real.holds()

            def close(self) -> None:
                real.close()

        with pytest.raises(Dies):
            send(workspace.ledger, Feed(feed.setting, feed.topics, feed.tell, Deadly, False), "me", never)
    assert told_all(ws) == []
    found = positions(there.taken)
    assert found[2] == found[3]
    assert [at for at, _ in itertools.groupby(found)] == sorted(set(found))
    assert len(found) == len(set(found)) + 1
    assert there.taken[2].body == there.taken[3].body
    assert there.taken[2].id == there.taken[3].id


def test_a_sender_that_is_killed_while_its_receiver_takes_leaves_nothing_out(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    running: list[subprocess.Popen[bytes]] = []
    deadly = [2]

    def kill(_: Got) -> None:
        if deadly and len(there.got) >= deadly[0]:
            deadly.pop(0)
            os.kill(running[-1].pid, signal.SIGKILL)

    there.on_request = kill
    call = [sys.executable, str(ROOT / "cli.py"), "-C", str(ws), "--as", "ana", "feed", "send"]
    ends = []
    for _ in range(2):
        running.append(subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        ends.append(running[-1].wait(60))
    assert ends == [-signal.SIGKILL, 0]
    found = positions(there.got)
    with small.reopen(ws) as workspace:
        wanted = [entry.position for entry in workspace.events() if entry.topic.startswith("backfill.")]
    assert [at for at, _ in itertools.groupby(found)] == wanted
    assert len(found) <= len(wanted) + 1
    bodies: dict[int, set[bytes]] = {}
    for at, one in zip(found, there.got, strict=True):
        bodies.setdefault(at, set()).add(one.body)
    assert {len(same) for same in bodies.values()} == {1}


def test_two_do_not_send_to_one_receiver(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    tries: list[Exception] = []
    with small.reopen(ws) as first, small.reopen(ws) as second:

        def also(_: Got) -> None:
            try:
                send(second.ledger, feed_of(second, "desk"), "second", never)
            except SentElsewhereError as error:
                tries.append(error)

        there.on_request = also
        send(first.ledger, feed_of(first, "desk"), "first", never)
    assert len(tries) == len(there.got) == len(set(positions(there.got)))


def test_who_slept_while_another_went_on_sends_nothing_that_is_old(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url, topics='["backfill.*"]')
    with small.reopen(ws) as workspace:
        end = workspace.ledger.position()
        there.on_request = lambda _: workspace.ledger.track("feed desk", end)
        with pytest.raises(SentElsewhereError):
            send(workspace.ledger, feed_of(workspace, "desk"), "me", never)
    assert len(there.got) == 1
    assert reached(ws, "desk") == end


def test_a_receiver_that_hangs_delays_only_itself(ws: Path, there: Receiver):
    with receiver() as slow:
        slow.answers = ["hang"] * 5
        told.subscribe(ws, "slow", slow.url)
        told.subscribe(ws, "desk", there.url)
        with small.reopen(ws) as workspace:
            end = workspace.ledger.position()
            followers = workspace.feeds.follow(every_s=0.05)
            followers.start()
            deadline = time.monotonic() + 20
            while len(there.taken) < end and time.monotonic() < deadline:
                time.sleep(0.02)
            assert (len(there.taken), len(slow.got)) == (end, 1)
            small.request(workspace, 2, 2)
            end = workspace.ledger.position()
            while len(there.taken) < end and time.monotonic() < deadline:
                time.sleep(0.02)
            assert positions(there.taken) == list(range(1, end + 1))
            slow.ended.set()
            followers.stop(finish=False)


def test_pauses_grow_between_failures_and_a_failure_is_told_once():
    pace = Pace(0.01)
    assert [pace.failed(None) for _ in range(4)] == [0.01, 0.02, 0.04, 0.08]
    assert (pace.failed(900.0), [pace.failed(None) for _ in range(20)][-1]) == (900.0, LONGEST_PAUSE_S)
    pace.went()
    assert pace.failed(None) == FIRST_PAUSE_S
    tries: list[str] = []

    def fails(name: str, pause: Pause) -> Sent:
        tries.append(name)
        raise FeedDownError(FeedSetting("desk", "webhook", "http://127.0.0.1:9"), 7, "it answers 500")

    followers = Followers(["desk"], fails, 0.01)
    followers.start()
    while len(tries) < 2:
        assert followers.wait(0.01)
    followers.stop(finish=True)
    assert [type(one) for one in followers.news()] == [FeedDownError]
    assert len(tries) == 3  # once more at the end, so that nothing is left out that can be told


def test_what_is_sent_is_put_on_no_record(ws: Path, there: Receiver):
    told.subscribe(ws, "desk", there.url)
    with small.reopen(ws) as workspace:
        before = workspace.ledger.position()
    assert told_all(ws) == []
    with small.reopen(ws) as workspace:
        assert workspace.ledger.position() == before == len(there.taken)
