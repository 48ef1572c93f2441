"""Resources that run out and peers that misbehave: each has a bound, and a counter that says so."""
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from busy import BusyClients  # noqa: E402
from processes import cpu_seconds, resident_bytes  # noqa: E402
from proxy_bed import OTHER, PASSWORD, USER, ProxyBed  # noqa: E402
from region import pause, wait_for  # noqa: E402
from test_proxy import bed_metrics  # noqa: E402


def errors(bed, reason):
    return bed_metrics(bed)[f'mcguard_proxy_errors_total{{reason="{reason}"}}']


def test_without_descriptors_newcomers_are_refused_and_nothing_spins():
    with ProxyBed(yaml="timeouts: {authenticate: 60s}\n") as bed:  # the crowd stays
        inside = bed.login()
        inside.set(b"a", b"1")
        used = len(os.listdir(f"/proc/{bed.process.pid}/fd"))
        resource.prlimit(bed.process.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        crowd = []
        wait_for("one is refused", lambda: crowd.append(bed.stranger()) or is_refused(crowd[-1]), 10, every=0)
        assert 15 <= len(crowd) <= 22, len(crowd)
        assert inside.get(b"a") == b"1", "those who are in are served"
        before = cpu_seconds(bed.process.pid)
        for _ in range(50):
            assert is_refused(bed.stranger())
        pause(1)  # during which a loop that spins would use the processor
        assert cpu_seconds(bed.process.pid) - before < 0.4
        for c in crowd:
            c.close()
        # A connection of the metrics page needs a descriptor too.
        wait_for("there is room again", lambda: may_set(bed), 5)
        assert errors(bed, "descriptors") >= 51
        assert bed_metrics(bed)["mcguard_proxy_connections_refused_total"] >= 51
        assert bed.log().count("descriptors_exhausted") < 20, "one line for many refusals"


def is_refused(client, seconds=0.2):
    """Whether it was told so and closed; one that was let in hears nothing."""
    client.socket.settimeout(seconds)
    try:
        heard = client.socket.recv(200)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    assert heard in (b"", b"SERVER_ERROR too many open connections\r\n"), heard
    return True


def may_set(bed):
    try:
        return bed.login().set(b"room", b"1") == b"STORED\r\n"
    except (AssertionError, OSError):
        return False


def send_what_is_taken(client, data):
    try:
        client.send(data)
    except OSError:
        pass


def test_a_huge_pipeline_of_small_gets_is_bounded_and_whole():
    with ProxyBed() as bed:
        c = bed.login()
        c.set(b"k", bytes(100))
        before = resident_bytes(bed.process.pid)
        count = 300_000
        sender = threading.Thread(target=send_what_is_taken, args=(c, b"get k\r\n" * count))
        c.socket.settimeout(60)
        sender.start()
        size = len(b"VALUE k 0 100\r\n\r\nEND\r\n") + 100
        left, most = count * size, 0
        while left > 0:
            part = c.socket.recv(1 << 20)
            assert part
            left -= len(part)
            most = max(most, resident_bytes(bed.process.pid)) if left % 7 == 0 else most
        sender.join()
        most = max(most, resident_bytes(bed.process.pid))
        assert most - before < 24 << 20, f"{(most - before) >> 20} MiB"


def slow_reader(bed):
    c = bed.stranger()
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.call(b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode()), b"STORED\r\n")
    return c


def test_slow_readers_of_large_values_do_not_disturb_a_neighbour():
    with ProxyBed(workers=1) as bed:
        key, other = bed.keys(0, 2)
        neighbour = bed.login()
        neighbour.set(key, bytes(1_000_000))
        assert neighbour.set(other, b"here") == b"STORED\r\n"
        before = resident_bytes(bed.process.pid)
        slow = [slow_reader(bed) for _ in range(20)]
        for c in slow:
            c.send(b"get %s\r\n" % key * 2000)
        most, longest, until = 0, 0, time.monotonic() + 4
        while time.monotonic() < until:
            begun = time.monotonic()
            assert neighbour.get(other) == b"here", "the same backend, and not slow itself"
            longest = max(longest, time.monotonic() - begun)
            for c in slow:
                assert c.socket.recv(4096), "slow, but it reads"
            most = max(most, resident_bytes(bed.process.pid) - before)
        print(f"neighbour: {longest * 1000:.0f} ms at most; proxy: {most >> 20} MiB more")
        assert most < 20 * 12 << 20
        assert longest < 2, "and not until they are done, which takes minutes"
        assert errors(bed, "backend_timeout") == 0 and errors(bed, "backend_overloaded") == 0


def test_a_credential_whose_bytes_are_used_up_is_refused_and_others_are_not():
    yaml = "on_backend_failure: error\nlimits: {in_flight: {credential: {bytes: 4MiB}}}"
    with ProxyBed(workers=1, yaml=yaml) as bed:
        c, other = bed.login(), bed.login(OTHER)
        c.set(b"big", bytes(1_000_000))
        other.set(b"k", b"2")
        slow = [slow_reader(bed) for _ in range(8)]
        for s in slow:
            s.send(b"get big\r\n" * 100)
        refusal = b"SERVER_ERROR proxy overloaded, try again\r\n"
        wait_for("it is refused", lambda: c.ask(b"touch k 0\r\n") == refusal, 5)
        assert c.ask(b"get k\r\n") == refusal
        assert c.set(b"k", b"1") == refusal
        assert c.ask(b"version\r\n").startswith(b"VERSION"), "the connection lives"
        for i in range(100):
            assert other.get(b"k") == b"2"
        assert errors(bed, "memory_short") >= 3
        for s in slow:
            s.close()
        wait_for("there is room again", lambda: c.set(b"k", b"1") == b"STORED\r\n", 5)
        assert c.get(b"k") == b"1"


def test_requests_beyond_a_limit_are_answered_at_once_and_the_rest_goes_on():
    yaml = ("timeouts: {request: 20s, queue: 0s}\n"
            "limits: {in_flight: {credential: {requests: 3}, proxy: {requests: 5}}}")
    with ProxyBed(workers=1, yaml=yaml) as bed:
        one, two = bed.keys(0)[0], bed.keys(1)[0]
        others_one, others_two = bed.keys(0, cache=2)[0], bed.keys(1, cache=2)[0]
        c, same, other = bed.login(), bed.login(), bed.login(OTHER)
        for key in (one, two):
            c.set(key, b"1")
        other.set(others_two, b"2")
        bed.stop_backend(0)
        c.send(b"get %s\r\n" % one * 5)
        wait_for("it is counted", lambda: errors(bed, "request_limit") == 2, 5)
        assert same.get(two) is None, "a miss, by on_backend_failure"
        assert same.set(two, b"3") == b"SERVER_ERROR too many requests in flight\r\n"
        assert other.get(others_two) == b"2"
        other.send(b"get %s\r\n" % others_one * 2)
        wait_for("both are with the backend", other.is_read, 5)
        third = bed.login(OTHER)
        wait_for("the proxy is full", lambda: third.get(others_two) is None, 5)
        # What may be without limits is so at once.
        bed.yaml = bed.yaml.replace("proxy: {requests: 5}", "proxy: {requests: 0}")
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("the limit is gone", lambda: third.get(others_two) == b"2", 5)
        assert same.get(two) is None
        bed.continue_backend(0)
        hit, miss = b"VALUE %s 0 1\r\n1\r\nEND\r\n" % one, b"END\r\n"
        assert c.read(3 * len(hit) + 2 * len(miss)) == hit * 3 + miss * 2, "in the order of the requests"
        assert same.get(two) == b"1"


class Flapping:
    """In a backend's place: accepts, answers the first request with `answer`, and closes."""

    def __init__(self, address, port, answer):
        self.answer, self.times = answer, []
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((address, port))
        self.server.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            with connection:
                connection.settimeout(1)
                if self.answer:
                    connection.recv(4096)
                    connection.sendall(self.answer)

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


def test_a_flapping_backend_is_called_at_a_bounded_rate_and_found_again():
    for answer in (b"", b"VA 3\r\n1 0\r\n"):
        with ProxyBed(workers=1) as bed:
            c = bed.login()
            one, two = bed.keys(0)[0], bed.keys(1)[0]
            c.set(two, b"2")
            bed.memcached[0].kill()
            bed.memcached[0].wait()
            flapping = Flapping(bed.backend_addresses[0], bed.backend_port, answer)
            wait_for("it is called", lambda: flapping.times, 5)
            pause(6)  # the time that is counted
            early = len(flapping.times)
            pause(3)
            late = len(flapping.times) - early
            print(f"{'answers and' if answer else 'accepts and'} closes: {early} calls in 6 s, then {late} in 3 s")
            assert early <= 14 and 2 <= late <= 4, flapping.times
            begun = time.monotonic()
            for _ in range(50):
                c.get(one)
                assert c.get(two) == b"2", "the other is not disturbed"
            assert time.monotonic() - begun < 1
            assert bed.log().count("backend_down") < 20
            flapping.close()
            bed.start_backend(0)
            bed.write_fence()
            wait_for("it is used again", lambda: c.set(one, b"9") == b"STORED\r\n", 5)


def test_a_client_that_has_fallen_silent_is_closed_when_asked():
    with ProxyBed(yaml="timeouts: {idle: 1s}") as bed:
        kept, gone = bed.login(), bed.login()
        begun = time.monotonic()
        # Neither end says anything: all the proxy can know is the silence.
        while time.monotonic() - begun < 2:
            kept.get(b"nothing")
            if bed.control("status")["connections"] == 1:
                break
            pause(0.05)
        assert bed.control("status")["connections"] == 1
        assert gone.is_closed()


def test_a_full_disk_refuses_changes_and_serves_on():
    with ProxyBed() as bed:
        c = bed.login()
        c.set(b"a", b"1")
        # As a full disk: no file may grow (the log neither).
        resource.prlimit(bed.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        answer = bed.raw_control("flush", cache=1, generation=2, sequence=1)
        assert not answer["ok"], answer
        assert bed.process.poll() is None
        for i in range(100):
            assert c.set(b"b%d" % i, b"2") == b"STORED\r\n"
        assert c.get(b"a") == b"1", "a flush that is not durable has not happened"
        resource.prlimit(bed.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        bed.flush(1, 2)
        assert c.get(b"a") is None
        bed.kill_proxy()
        bed.start_proxy()
        assert bed.control("status")["flush_sequence"] == 1, "the torn line before it was no harm"


def test_a_write_whose_reply_never_came_is_not_sent_again():
    with ProxyBed(yaml="timeouts: {request: 400ms, connect: 300ms}", workers=1) as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        c.call(b"set %s 0 0 1\r\n0\r\n" % key, b"STORED\r\n")
        for _ in range(5):
            bed.stop_backend(0)
            c.send(b"incr %s 1\r\n" % key)
            assert c.line().startswith(b"SERVER_ERROR")
            bed.continue_backend(0)
            wait_for("it is used again", lambda: bed.login().get(key) is not None, 5)
        assert int(bed.login().get(key)) <= 5, "each happened once at most"


def test_a_worker_that_stood_still_with_thousands_of_busy_clients_refuses_none_of_them():
    """Its fence records have grown old, and what would renew them lies among all that is ready at once."""
    count = 8000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < count + 500:
        pytest.skip("the machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ProxyBed(log_level="info", workers=1) as bed, BusyClients(bed, count, count) as busy:
        def work(times, done=lambda: True):
            enough = busy.answered + times * count
            busy.run_until(lambda: busy.answered >= enough and done(), 60)
        work(1)

        def stand_still():
            for _ in range(3):
                pause(0.3)
                bed.process.send_signal(signal.SIGSTOP)
                pause(0.4)  # more than the 300 ms that a record is good for
                bed.process.send_signal(signal.SIGCONT)
        fault = threading.Thread(target=stand_still)
        fault.start()
        try:
            work(2, lambda: not fault.is_alive())
        finally:
            fault.join()
        print(f"{count} clients, {busy.answered} answered, slowest {busy.slowest:.2f} s, {len(busy.failures)} failures")
        assert busy.failures == []
