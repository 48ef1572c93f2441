"""One process of a proxy takes over from another, with its sockets and its clients."""
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from busy import BusyClients, Newcomers  # noqa: E402
from proxy_bed import BIN, USER, Client, FakeAgent, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402
from test_tls import LOGIN, TlsBed, make_certificate  # noqa: E402

NOT_TAKEN_OVER = 3


class Successor:
    """A second process that takes over from the bed's; afterwards it is the bed's."""

    def __init__(self, bed, config="proxy.yaml"):
        self.bed, self.old = bed, bed.process
        self.new = subprocess.Popen([BIN / "mcguard-proxy", "--config", bed.path / config,
                                     "--take-over", bed.path / "proxy.sock"])

    def answers(self):
        """Whether the new process answers by the proxy's name."""
        assert self.new.poll() is None, "the successor ended: " + self.bed.log()
        try:
            if self.bed.control("status")["pid"] == self.new.pid:
                self.bed.process = self.new
        except OSError:
            pass  # nobody answers for a moment
        return self.bed.process is self.new

    def is_over(self):
        return self.answers() and self.old.poll() is not None


def replace(bed, config="proxy.yaml"):
    successor = Successor(bed, config)
    try:
        wait_for("the new process is the proxy", successor.is_over, 15)
    except AssertionError:
        print(bed.log())
        raise
    finally:
        for process in {successor.old, successor.new} - {bed.process}:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert successor.old.returncode == 0


def metric(bed, name):
    with urllib.request.urlopen(f"http://{bed.address}:{bed.metrics_port}/metrics") as page:
        return float(re.search(rf"^{name} (\S+)$", page.read().decode(), re.M).group(1))


def free_port(bed):
    with socket.socket() as probe:
        probe.bind((bed.address, 0))
        return probe.getsockname()[1]


def event(bed, name):
    """The last log line of this event, as a dictionary of its fields."""
    bed.says(f"event={name}")
    line = [n for n in bed.log().splitlines() if f"event={name}" in n.split()][-1]
    return dict(part.split("=", 1) for part in line.split() if "=" in part)


def hand_over_under_load(bed, count, at_once):
    """The failures."""
    with BusyClients(bed, count, at_once) as busy, Newcomers(bed) as newcomers:
        def work(times):
            answered, served = busy.answered + times * count, newcomers.served + 5
            busy.run_until(lambda: busy.answered >= answered and newcomers.served >= served, 60)
        work(2)
        before, busy.slowest = busy.slowest, 0.0
        successor = Successor(bed)
        busy.run_until(successor.is_over, 60)
        work(2)
        newcomers.stop.set()
        newcomers.thread.join()
        told = event(bed, "handed_over")
        moved = int(told["connections"])
        print(f"{count} connections, {at_once} requests under way: {moved} moved in "
              f"{float(told['move_seconds']):.3f} s; {busy.answered} answered, slowest {busy.slowest:.3f} s "
              f"({before:.3f} s before); "
              f"{newcomers.served} newcomers, slowest {newcomers.slowest:.3f} s; "
              f"{len(busy.failures)} failures")
        assert successor.old.returncode == 0
        if busy.failures or newcomers.failures:
            return busy.failures + newcomers.failures
        wait_for("the newcomers have left", lambda: bed.control("status")["connections"] == count)
        assert count <= moved <= count + 2
        assert metric(bed, "mcguard_proxy_connections_taken_over_total") == moved
        return []


def check_hand_over(count, at_once):
    with ProxyBed(log_level="info", yaml=f"limits: {{connections: {count + 100}}}") as bed:
        assert hand_over_under_load(bed, count, at_once) == []


def test_a_thousand_busy_connections_miss_nothing():
    check_hand_over(1000, 1000)


def test_ten_thousand_connections_that_are_all_busy_miss_nothing():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 10_500:
        pytest.skip("the machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    check_hand_over(10_000, 10_000)


def test_without_clients_nobody_who_comes_meanwhile_is_refused_or_lost():
    with ProxyBed(log_level="info", workers=2) as bed:
        for _ in range(5):
            with Newcomers(bed) as one, Newcomers(bed) as two, Newcomers(bed) as three:
                all_of_them = one, two, three
                replace(bed)
                enough = [each.served + 2 for each in all_of_them]
                wait_for("they have been served since", lambda: all(
                    each.failures or each.served >= least
                    for each, least in zip(all_of_them, enough)))
            assert [each.failures for each in all_of_them] == [[], [], []]
            wait_for("they have left", lambda: bed.control("status")["connections"] == 0)


def test_everybody_stays_who_he_was():
    with ProxyBed() as bed:
        key = bed.keys(0)[0]
        ascii_client, binary_client, opened = bed.login(), bed.binary_login(), bed.open_client()
        reader, stranger, half, refused = (bed.login("READ01"), bed.stranger(), bed.login(),
                                           bed.login())
        assert ascii_client.set(key, b"1") == b"STORED\r\n"
        half.send(b"set half 0 0 10\r\n12345")
        wait_for("half of it has been read", half.is_read)
        refused.send(b"set large 0 0 2000000\r\n" + b"x" * 500)
        assert refused.line() == b"SERVER_ERROR object too large for cache\r\n"
        for _ in range(2):  # and again: the second time they have been taken over before
            replace(bed)
            assert bed.control("status")["connections"] == 7
        assert ascii_client.get(key) == b"1"
        assert binary_client.binary(0x00, key).value == b"1"
        assert opened.get(key) == b"1"
        assert reader.get(key) == b"1"
        assert reader.set(key, b"2") != b"STORED\r\n"
        half.call(b"67890\r\nget half\r\n", b"STORED\r\nVALUE half 0 10\r\n1234567890\r\nEND\r\n")
        refused.send(b"x" * (2000000 - 500) + b"\r\n")
        assert refused.get(key) == b"1"
        stranger.call(LOGIN, b"STORED\r\n")
        assert stranger.get(key) == b"1"
        for client in (ascii_client, binary_client, opened, reader, half, refused, stranger):
            client.close()
        wait_for("each is counted out", lambda: bed.control("status")["connections"] == 0)


def test_a_credential_that_changes_afterwards_changes_for_those_who_moved():
    with ProxyBed() as bed:
        credential = bed.credential(USER, 1)
        bed.configure(credentials=[credential])
        client = bed.login()
        assert client.set(b"k", b"1") == b"STORED\r\n"
        replace(bed)
        bed.configure(credentials=[{**credential, "write": False}])
        wait_for("it may not write any more", lambda: client.set(b"k", b"2") != b"STORED\r\n")


def test_what_either_process_has_acknowledged_meanwhile_holds():
    with ProxyBed() as bed:
        client = bed.login()
        assert client.set(b"k", b"1") == b"STORED\r\n"
        acknowledged, refusals = 0, set()
        successor = Successor(bed)

        def flush_and_look():
            nonlocal acknowledged
            sequence = acknowledged + 1
            try:
                answer = bed.raw_control("flush", cache=1, generation=sequence + 1, sequence=sequence)
            except OSError:
                return successor.is_over()  # the name belongs to nobody for a moment
            if answer["ok"]:
                acknowledged = sequence
            else:
                refusals.add(answer["error"]["code"])
            return successor.is_over()
        wait_for("the new process is the proxy", flush_and_look, 15, every=0)
        assert acknowledged > 0 and refusals <= {"unavailable"}
        status = bed.control("status")
        # One may have been obeyed whose answer was lost.
        assert acknowledged <= status["flush_sequence"] <= acknowledged + 1
        bed.flushes = status["flush_sequence"]
        bed.complete_flush()
        bed.write_fence()
        bed.wait_unfenced()
        assert client.get(b"k") is None
        assert client.set(b"k", b"2") == b"STORED\r\n"


def test_a_client_that_waits_for_its_flush_gets_its_answer():
    with ProxyBed() as bed:
        is_replaced = threading.Event()

        def answer(args):
            if len(agent.calls) == 1:
                return None  # the old process hears nothing
            assert is_replaced.wait(5)
            bed.flush(1, 2)
            bed.write_fence()
            return {"ok": True, "value": {"generation": 2}}
        with FakeAgent(bed, answer) as agent:
            client = bed.login()
            client.send(b"flush_all\r\n")
            wait_for("the agent is asked", lambda: agent.calls)
            successor = Successor(bed)
            wait_for("the new process is the proxy", successor.answers, 15)
            is_replaced.set()
            assert client.line() == b"OK\r\n"
            wait_for("the old process ends", successor.is_over)


def test_clients_by_tls_are_closed_between_two_requests(tmp_path):
    make_certificate(tmp_path, "one", "one.test")
    with TlsBed(tmp_path) as bed:
        idle = bed.connect()
        idle.call(LOGIN, b"STORED\r\n")
        plain = bed.login()
        replace(bed)
        assert idle.is_closed()
        again = bed.connect()
        again.call(LOGIN, b"STORED\r\n")
        assert again.set(b"k", b"v") == b"STORED\r\n"
        assert plain.get(b"k") == b"v"


def test_a_unix_socket_and_its_clients_move_too():
    with ProxyBed(listen=", unix: {path}/memcache.sock") as bed:
        path = str(bed.path / "memcache.sock")
        with Client(path) as client:
            client.call(LOGIN, b"STORED\r\n")
            replace(bed)
            assert client.set(b"k", b"v") == b"STORED\r\n"
            with Client(path) as newcomer:
                newcomer.call(LOGIN, b"STORED\r\n")
                assert newcomer.get(b"k") == b"v"


@pytest.mark.parametrize("before, after", [(2, 1), (1, 3)])
def test_the_new_process_may_have_another_number_of_workers(before, after):
    with ProxyBed(workers=before) as bed:
        clients = [bed.login() for _ in range(20)]
        bed.workers = after
        bed.write_yaml()
        replace(bed)
        clients += [bed.login() for _ in range(40)]
        for i, client in enumerate(clients):
            assert client.set(b"k%d" % i, b"v") == b"STORED\r\n"


# A new process that says what its arguments say, and then nothing more.
FAKE = r"""
import json, socket, struct, sys
place, control, frames = sys.argv[1], sys.argv[2], sys.argv[3].encode().decode("unicode_escape")
listener = socket.socket(socket.AF_UNIX)
listener.bind(place)
listener.listen()
caller = socket.socket(socket.AF_UNIX)
caller.connect(control)
caller.sendall(json.dumps({"verb": "handover", "fence": 1, "args": {"socket": place}}).encode() + b"\n")
talk, _ = listener.accept()
talk.sendall(frames.encode("latin-1"))
if "-" in sys.argv[4:]:
    sys.exit()
while True:
    data, descriptors, _, _ = socket.recv_fds(talk, 1 << 20, 300)
    if not data:
        while True:
            talk.recv(1) or listener.accept()
"""
WARM, READY, CONFIRM = (rf"\x{kind:02x}" + r"\x00" * 7 for kind in (4, 6, 10))
TAKES_NOBODY = r"\x08\x00\x00\x00\x03\x00\x00\x00999"


@pytest.mark.parametrize("says, more", [
    (r"GET / HTTP/1.1\r\n\r\n", ""), (WARM, "-"), (WARM + READY, ""), (WARM + READY + TAKES_NOBODY, ""),
    (WARM + READY, "-"), (CONFIRM, "")],
    ids=["nonsense", "ends early", "stands still", "takes what nobody gave", "ends late", "hasty"])
def test_a_successor_that_fails_is_ended_and_nobody_has_noticed(says, more):
    with ProxyBed() as bed:
        clients = [bed.login() for _ in range(300)]
        half = bed.login()
        half.send(b"set half 0 0 4\r\n12")
        wait_for("half of it has been read", half.is_read)
        fake = subprocess.Popen([sys.executable, "-c", FAKE, str(bed.path / "fake.sock"),
                                 str(bed.path / "proxy.sock"), says, more])
        try:
            wait_for("it is ended", lambda: fake.poll() is not None, 15)
        finally:
            fake.kill()
            fake.wait()
        wait_for("the proxy has its clients back", lambda: not bed.control("status")["handing_over"])
        clients[0].send(b"stats\r\n")
        assert b"STAT total_connections 301\r\n" in clients[0].read_until(b"END\r\n")
        for i, client in enumerate(clients):
            assert client.set(b"k%d" % i, b"v%d" % i) == b"STORED\r\n"
        half.call(b"34\r\n", b"STORED\r\n")
        assert bed.login().get(b"k7") == b"v7"
        assert bed.control("status")["connections"] == 302
        assert bed.says("not_handed_over")
        assert metric(bed, "mcguard_proxy_handovers_failed_total") == 1
        bed.flush(2, 2)  # acting calls are obeyed again
        replace(bed)     # and another successor may try
        assert clients[0].get(b"k0") == b"v0"


def test_an_old_process_that_stands_still_is_not_taken_over():
    with ProxyBed() as bed:
        bed.process.send_signal(signal.SIGSTOP)
        new = subprocess.Popen([BIN / "mcguard-proxy", "--config", bed.path / "proxy.yaml",
                                "--take-over", bed.path / "proxy.sock"], stderr=subprocess.PIPE)
        assert new.wait(10) == NOT_TAKEN_OVER
        assert b"mcguard-proxy: " in new.stderr.read()
        bed.process.send_signal(signal.SIGCONT)
        wait_for("it goes on", lambda: bed.login().set(b"k", b"v") == b"STORED\r\n")


def test_without_an_old_process_the_new_one_says_so():
    with ProxyBed() as bed:
        bed.kill_proxy()
        new = subprocess.run([BIN / "mcguard-proxy", "--config", bed.path / "proxy.yaml",
                              "--take-over", bed.path / "proxy.sock"], timeout=10,
                             stderr=subprocess.PIPE)
        assert new.returncode == NOT_TAKEN_OVER
        bed.start_proxy()


def test_a_metrics_port_that_cannot_be_had_is_found_before_anything_moves():
    with ProxyBed() as bed, socket.socket() as stranger:
        client = bed.login()
        stranger.bind((bed.address, 0))
        stranger.listen()
        before, bed.metrics_port = bed.metrics_port, stranger.getsockname()[1]
        bed.write_yaml()
        new = subprocess.run([BIN / "mcguard-proxy", "--config", bed.path / "proxy.yaml",
                              "--take-over", bed.path / "proxy.sock"], timeout=10,
                             stderr=subprocess.PIPE)
        assert new.returncode in (NOT_TAKEN_OVER, -signal.SIGKILL)
        assert b"is in use" in new.stderr
        bed.metrics_port = before
        wait_for("the old process goes on", lambda: not bed.control("status")["handing_over"])
        assert bed.process.poll() is None and client.set(b"k", b"v") == b"STORED\r\n"
        bed.metrics_port = free_port(bed)
        bed.write_yaml()
        replace(bed)  # it may be another, if it can be had
        assert metric(bed, "mcguard_proxy_connections_taken_over_total") == 1


def test_a_new_process_that_cannot_take_a_name_serves_on_and_takes_it_later():
    with ProxyBed() as bed:
        client = bed.login()
        telemetry = bed.path / "proxy.seg"
        telemetry.unlink()
        telemetry.mkdir()  # nothing can be renamed to it
        replace(bed)
        assert client.set(b"k", b"v") == b"STORED\r\n"
        assert bed.login().get(b"k") == b"v"
        assert bed.says("names_not_taken")
        telemetry.rmdir()
        wait_for("it has its name", telemetry.is_file)
        assert not (bed.path / "proxy.seg.next").exists()


class SlowReply:
    """A client whose reply is under way for as long as the backend stands still."""

    def __init__(self, bed):
        self.bed, self.client, self.key = bed, bed.login(), bed.keys(0)[0]
        assert self.client.set(self.key, b"v") == b"STORED\r\n"
        bed.stop_backend(0)
        self.client.send(b"get %s\r\n" % self.key)
        wait_for("the backend is seen to stand still",
                 lambda: bed.control("status")["fenced_backends"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bed.memcached[0].send_signal(signal.SIGCONT)

    def comes(self):
        self.bed.memcached[0].send_signal(signal.SIGCONT)
        assert self.client.line() == b"VALUE %s 0 1\r\n" % self.key
        assert self.client.line() == b"v\r\n" and self.client.line() == b"END\r\n"


def test_a_client_is_waited_for_as_long_as_its_backend():
    with ProxyBed(yaml="timeouts: {request: 9s}") as bed, SlowReply(bed) as slow:
        successor = Successor(bed)
        wait_for("it is sealed", lambda: bed.control("status")["handing_over"])
        begun = time.monotonic()
        wait_for("others would have lost patience", lambda: time.monotonic() - begun > 3.5)
        slow.comes()
        wait_for("the new process is the proxy", successor.is_over, 15)
        wait_for("the backend is served from again",
                 lambda: not bed.control("status")["fenced_backends"])
        assert slow.client.get(slow.key) == b"v"


def test_a_quit_during_a_hand_over_ends_the_new_process_too():
    with ProxyBed(yaml="timeouts: {request: 5s}") as bed, SlowReply(bed) as slow:
        successor = Successor(bed)
        wait_for("it is sealed", lambda: bed.control("status")["handing_over"])
        successor.old.send_signal(signal.SIGTERM)
        slow.comes()
        assert successor.old.wait(10) == 0
        assert successor.new.wait(10) == 0
        assert bed.says("handed_over")


def test_a_quit_before_the_seal_ends_the_hand_over():
    with ProxyBed() as bed:
        fake = subprocess.Popen([sys.executable, "-c", FAKE, str(bed.path / "fake.sock"),
                                 str(bed.path / "proxy.sock"), "", ""])
        try:
            wait_for("it has begun", lambda: "handover_begun" in bed.log())
            assert bed.raw_control("drain", deadline_ms=0)["error"]["code"] == "conflict"
            bed.control("quit")
            assert fake.wait(5) == -signal.SIGKILL
            assert bed.process.wait(5) == 0
        finally:
            fake.kill()
            fake.wait()


def test_a_drain_lets_busy_clients_come_to_a_boundary():
    with ProxyBed(log_level="info") as bed:
        idle = [bed.login() for _ in range(50)]
        half = bed.login()
        half.send(b"set half 0 0 4\r\n12")
        wait_for("half of it has been read", half.is_read)
        bed.process.send_signal(signal.SIGTERM)
        for client in idle:
            assert client.is_closed()
        half.call(b"34\r\n", b"STORED\r\n")
        assert half.is_closed()
        assert bed.process.wait(5) == 0
