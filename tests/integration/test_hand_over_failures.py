"""The new process dies or stands still in the middle of a hand-over.

Whatever the moment: the old process goes on with everybody whom it had not given away, and with the
listening sockets; who had been given away is cut off cleanly and may come back; nothing hangs; and
opened + taken over = closed + handed over + open holds in the old process before, meanwhile and after.
"""
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402
from test_hand_over import LOGIN, Successor, event, replace  # noqa: E402
from test_proxy import bed_metrics  # noqa: E402

GIVEN = 300  # more than a batch
SUPPORT = Path(__file__).resolve().parents[1] / "support"


def counts(bed):
    """What became of client connections; checks that the figures agree with each other."""
    metrics = bed_metrics(bed)
    opened, taken_over, closed, handed_over = (
        metrics[f"mcguard_proxy_connections_{n}_total"] for n in ("opened", "taken_over", "closed", "handed_over"))
    open_now = metrics["mcguard_proxy_connections"]
    assert opened + taken_over == closed + handed_over + open_now, (
        f"{opened} opened + {taken_over} taken over, {closed} closed + {handed_over} handed over + {open_now}")
    return {"opened": opened, "taken_over": taken_over, "closed": closed, "handed_over": handed_over,
            "open": open_now}


def obeys(bed):
    """Whether it obeys acting calls; this one changes nothing."""
    answer = bed.raw_control("flush.complete", sequence=0)
    return answer["ok"] or answer["error"]["code"] != "unavailable"


class Held:
    """Clients without a boundary: the backend of their gets stands still until comes()."""

    def __init__(self, bed, count):
        self.bed, self.key = bed, bed.keys(0)[0]
        self.clients = [bed.login() for _ in range(count)]
        assert self.clients[0].set(self.key, b"v") == b"STORED\r\n"

    def __enter__(self):
        wait_for("all wait for the backend", self.all_wait, 30)
        # Else the new process would wait for this backend.
        wait_for("the backend is seen to stand still",
                 lambda: self.bed.control("status")["fenced_backends"])
        return self

    def all_wait(self):
        """False where the machine was so slow that the last ones came to a backend already fenced."""
        self.bed.stop_backend(0)
        for client in self.clients:
            client.send(b"get %s\r\n" % self.key)
        for client in self.clients:
            wait_for("it has been read", client.is_read)
        if not any(select.select([c.socket], [], [], 0)[0] for c in self.clients):
            return True
        self.bed.continue_backend(0)
        for client in self.clients:
            client.read_until(b"END\r\n")
        wait_for("the backend answers again", lambda: self.clients[0].get(self.key) == b"v")
        return False

    def __exit__(self, *_):
        self.bed.continue_backend(0)

    def comes(self):
        """Each has its answer: the value, or a miss where the backend stood still for too long to be
        believed without a look at its record."""
        self.bed.continue_backend(0)
        hit = b"VALUE %s 0 1\r\nv\r\nEND\r\n" % self.key
        for client in self.clients:
            assert client.read_until(b"END\r\n") in (hit, b"END\r\n")


class Bed(ProxyBed):
    """With clients of both kinds: `held`, and `idle`, who leave at once."""

    def __init__(self, idle=GIVEN, held=20):
        super().__init__(log_level="info", yaml="timeouts: {request: 9s, queue: 0s}")
        self.idle_count, self.held_count = idle, held

    def __enter__(self):
        super().__enter__()
        self.held = Held(self, self.held_count)
        self.idle = [self.login() for _ in range(self.idle_count)]
        self.own_keys = self.keys(1, self.idle_count)  # of the backend that answers
        for client, key in zip(self.idle, self.own_keys):
            assert client.set(key, b"of-" + key) == b"STORED\r\n"
        return self

    def check_served(self, clients):
        for client in clients:
            key = self.keys(1, prefix=b"probe")[0]
            assert client.set(key, b"x") == b"STORED\r\n"
            assert client.get(key) == b"x"

    def check_goes_on(self, began):
        """The old process is as it was, with newcomers, calls and another hand-over."""
        wait_for("the hand-over has failed", lambda: not self.control("status")["handing_over"], 20)
        print(f"given up after {time.monotonic() - began:.2f} s")
        assert self.process.poll() is None
        metrics = bed_metrics(self)
        assert metrics["mcguard_proxy_handovers_failed_total"] == 1
        self.check_served([self.login()])
        wait_for("acting calls are obeyed", lambda: obeys(self), 5)


def settled(bed, want):
    """Waits until the counters say this; they may be a turn late."""
    wait_for(f"the counters say {want}: {counts(bed)}",
             lambda: all(counts(bed)[name] == n for name, n in want.items()), 5)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stands still"])
def test_before_the_first_batch_nobody_is_lost(fault):
    with Bed(idle=0) as bed, bed.held as held:
        successor = Successor(bed)
        wait_for("it is sealed", lambda: not obeys(bed), every=0)
        successor.new.send_signal(fault)
        began = time.monotonic()
        held.comes()  # they would go now
        bed.check_goes_on(began)
        assert successor.new.wait(5) == -signal.SIGKILL
        bed.check_served(held.clients)
        settled(bed, {"handed_over": 0, "closed": 0, "open": len(held.clients) + 1})
        replace(bed)
        bed.check_served(held.clients)
        settled(bed, {"taken_over": len(held.clients) + 1, "opened": 0, "closed": 0,
                      "open": len(held.clients) + 1})


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stands still"])
def test_in_the_middle_those_who_had_not_gone_stay(fault):
    with Bed() as bed, bed.held as held:
        successor = Successor(bed)
        wait_for("all who can have gone", lambda: counts(bed)["handed_over"] == GIVEN)
        successor.new.send_signal(fault)
        began = time.monotonic()
        newcomer = bed.stranger()  # it waits in the queue of sockets that both hold, or is the other's
        newcomer.send(LOGIN)
        held.comes()
        bed.check_goes_on(began)
        assert successor.new.wait(5) == -signal.SIGKILL
        bed.check_served(held.clients)
        for client in bed.idle:
            assert client.is_closed(), "it went with the process that had it"
        again = [bed.login() for _ in bed.idle]
        for client, key in zip(again, bed.own_keys):
            assert client.get(key) == b"of-" + key
        assert int(event(bed, "handover_undone")["gone"]) == GIVEN
        came = served(newcomer)
        settled(bed, {"handed_over": GIVEN, "open": len(held.clients) + len(again) + 1 + came})
        replace(bed)
        bed.check_served(held.clients)
        settled(bed, {"opened": 0, "open": len(held.clients) + len(again) + 1 + came})


def served(client):
    """Whether it is let in; else it was closed, and did not hang. A process that has ended since may have let
    it in."""
    try:
        client.call(b"", b"STORED\r\n")
        client.get(b"none")
        return True
    except ConnectionError:
        client.close()
        return False


class Feigned:
    """tests/support/successor.py in the place of the new process."""

    def __init__(self, bed, moment, end):
        self.process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "successor.py"), str(bed.path / "fake.sock"),
             str(bed.path / "proxy.sock"), moment, end], stdout=subprocess.PIPE)

    def __enter__(self):
        assert self.process.stdout.readline(), "it has not come so far"
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.parametrize("end", ["die", "stand"])
def test_before_the_confirmation_the_old_process_goes_on_without_clients(end):
    with Bed(held=1) as bed:
        began = time.monotonic()
        with Feigned(bed, "all", end) as fake:
            bed.check_goes_on(began)
            fake.wait(5)  # the old process sees to that
            for client in bed.idle + bed.held.clients:
                assert client.is_closed()
            settled(bed, {"handed_over": GIVEN + 1, "open": 1, "closed": 0})
            again = [bed.login() for _ in range(20)]
            for client, key in zip(again, bed.own_keys):
                assert client.get(key) == b"of-" + key
            replace(bed)
            bed.check_served(again)


def test_after_the_confirmation_the_old_process_ends_and_the_next_start_serves():
    with Bed(held=1) as bed:
        with Feigned(bed, "confirm", "die"):
            assert bed.process.wait(10) == 0
        for client in bed.idle:
            assert client.is_closed()
        bed.start_proxy()  # what the supervisor does
        wait_for("it serves from every backend", lambda: not bed.control("status")["fenced_backends"])
        bed.check_served([bed.login()])
        settled(bed, {"opened": 1, "taken_over": 0, "open": 1})


def test_a_new_process_that_dies_as_the_proxy_is_replaced_like_any_other():
    with Bed(held=1) as bed:
        successor = Successor(bed)
        wait_for("the new process is the proxy", successor.answers, 15)
        successor.new.kill()
        successor.new.wait()
        assert successor.old.wait(10) == 0
        for client in bed.idle:
            assert client.is_closed()
        bed.start_proxy()
        wait_for("it serves from every backend", lambda: not bed.control("status")["fenced_backends"])
        bed.check_served([bed.login()])


def test_counters_are_true_over_three_processes():
    with Bed(idle=30, held=3) as bed:
        everybody = bed.idle + bed.held.clients
        settled(bed, {"opened": 33, "open": 33})
        everybody.pop().close()
        settled(bed, {"closed": 1, "open": 32})
        replace(bed)
        settled(bed, {"taken_over": 32, "opened": 0, "closed": 0, "handed_over": 0, "open": 32})
        everybody.pop().close()
        newcomer = bed.login()
        settled(bed, {"taken_over": 32, "opened": 1, "closed": 1, "open": 32})
        replace(bed)
        settled(bed, {"taken_over": 32, "opened": 0, "open": 32})
        for client in [*everybody, newcomer]:
            client.close()
        settled(bed, {"closed": 32, "open": 0})


def test_what_the_new_process_does_not_let_in_is_taken_over_and_closed():
    with ProxyBed() as bed:
        opened, plain = bed.open_client(), bed.login()
        path = bed.path / "proxy.yaml"
        path.write_text("\n".join(n for n in path.read_text().splitlines() if not n.startswith("open:")))
        replace(bed)
        assert opened.is_closed()
        assert plain.set(b"k", b"v") == b"STORED\r\n"
        settled(bed, {"taken_over": 2, "closed": 1, "open": 1})
