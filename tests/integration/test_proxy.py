"""The proxy alone, from end to end: real memcached behind it, the test in the agent's place."""
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import (BIN, OTHER, PASSWORD, READER, SLOTS, USER, Client, FakeAgent,  # noqa: E402
                       ProxyBed, frame, slot_of)
from narrow_wire import NarrowWire  # noqa: E402
from region import pause, wait_for  # noqa: E402


@pytest.fixture(scope="module")
def bed():
    with ProxyBed() as shared:
        yield shared


# What clients send and read.

def test_text_commands_do_what_memcached_does(bed):
    c = bed.login()
    c.call(b"set a 5 0 2\r\nhi\r\n", b"STORED\r\n")
    c.call(b"get a\r\n", b"VALUE a 5 2\r\nhi\r\nEND\r\n")
    c.call(b"add a 0 0 1\r\nx\r\n", b"NOT_STORED\r\n")
    c.call(b"replace nothing 0 0 1\r\nx\r\n", b"NOT_STORED\r\n")
    c.call(b"append a 0 0 1\r\n!\r\n", b"STORED\r\n")
    c.call(b"prepend a 0 0 1\r\n>\r\n", b"STORED\r\n")
    c.call(b"get a\r\n", b"VALUE a 5 4\r\n>hi!\r\nEND\r\n")
    c.call(b"touch a 100\r\n", b"TOUCHED\r\n")
    c.call(b"touch nothing 100\r\n", b"NOT_FOUND\r\n")
    c.call(b"gat 100 a\r\n", b"VALUE a 5 4\r\n>hi!\r\nEND\r\n")
    c.call(b"set n 0 0 2\r\n10\r\n", b"STORED\r\n")
    c.call(b"incr n 5\r\n", b"15\r\n")
    c.call(b"decr n 50\r\n", b"0\r\n")
    c.call(b"incr a 1\r\n", b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")
    c.call(b"incr nothing 1\r\n", b"NOT_FOUND\r\n")
    c.call(b"delete a\r\n", b"DELETED\r\n")
    c.call(b"delete a\r\n", b"NOT_FOUND\r\n")
    c.call(b"get a\r\n", b"END\r\n")
    c.call(b"verbosity 1\r\n", b"OK\r\n")
    c.call(b"mn\r\n", b"MN\r\n")
    c.call(b"version\r\n", b"VERSION 1.6.18-mcguard\r\n")
    c.call(b"bogus\r\n", b"ERROR\r\n")
    c.send(b"quit\r\n")
    assert c.is_closed()


def test_cas_stores_once(bed):
    c = bed.login()
    c.set(b"cas", b"1")
    c.send(b"gets cas\r\n")
    token = c.read_until(b"END\r\n").split()[4]
    c.call(b"cas cas 0 0 1 %s\r\n2\r\n" % token, b"STORED\r\n")
    c.call(b"cas cas 0 0 1 %s\r\n3\r\n" % token, b"EXISTS\r\n")
    c.call(b"cas nothing 0 0 1 %s\r\n3\r\n" % token, b"NOT_FOUND\r\n")
    assert c.get(b"cas") == b"2"


def test_noreply_is_silent_and_in_order(bed):
    c = bed.login()
    c.send(b"set q 0 0 1 noreply\r\n1\r\nincr q 1 noreply\r\ndelete nothing noreply\r\n")
    c.call(b"get q\r\n", b"VALUE q 0 1\r\n2\r\nEND\r\n")


def test_keys_of_one_get_are_answered_in_order_across_backends(bed):
    c = bed.login()
    keys = [k for pair in zip(bed.keys(0, 20), bed.keys(1, 20)) for k in pair]
    for key in keys[::3]:
        c.call(b"set %s 1 0 %d\r\n%s\r\n" % (key, len(key), key), b"STORED\r\n")
    asked = keys + [keys[0]]
    expected = b"".join(b"VALUE %s 1 %d\r\n%s\r\n" % (k, len(k), k) for k in asked
                        if k in keys[::3]) + b"END\r\n"
    c.call(b"get " + b" ".join(asked) + b"\r\n", expected)


def test_pipelined_commands_are_answered_in_order(bed):
    c = bed.login()
    rng = random.Random(1)
    model, sent, expected = {}, [], []
    for i in range(3000):
        key = b"p%d" % rng.randrange(50)
        if rng.random() < 0.4:
            value = b"%d" % i * rng.randrange(1, 40)
            model[key] = value
            sent.append(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
            expected.append(b"STORED\r\n")
        else:
            value = model.get(key)
            sent.append(b"get %s\r\n" % key)
            found = b"" if value is None else b"VALUE %s 0 %d\r\n%s\r\n" % (key, len(value), value)
            expected.append(found + b"END\r\n")
    writer = threading.Thread(target=c.send, args=(b"".join(sent),))
    writer.start()
    want = b"".join(expected)
    assert c.read(len(want)) == want
    writer.join()


def test_commands_split_at_every_byte_are_understood(bed):
    c = bed.login()
    for byte in b"set s 0 0 4\r\nab\r\n\r\nget s nothing s\r\ndelete s\r\n":
        c.send(bytes([byte]))
        wait_for("it is read on its own", c.is_read, every=0)
    c.call(b"", b"STORED\r\nVALUE s 0 4\r\nab\r\n\r\nVALUE s 0 4\r\nab\r\n\r\nEND\r\nDELETED\r\n")
    b = bed.binary_login()
    for byte in frame(0x01, b"s", b"v", bytes(8)) + frame(0x00, b"s"):
        b.send(bytes([byte]))
        wait_for("it is read on its own", b.is_read, every=0)
    assert b.response().status == 0
    assert b.response().value == b"v"


def test_a_mebibyte_passes_and_more_is_refused(bed):
    c = bed.login()
    value = os.urandom(1024 * 1024 - 3)
    assert c.set(b"big", value) == b"STORED\r\n"
    assert c.get(b"big") == value
    assert c.set(b"big", value + b"!") == b"SERVER_ERROR object too large for cache\r\n"
    assert c.get(b"big") is None, "the old value must not be read after a refused set"
    assert c.set(b"big", bytes(3 << 20)) == b"SERVER_ERROR object too large for cache\r\n"
    c.call(b"version\r\n", b"VERSION 1.6.18-mcguard\r\n")


def test_long_and_odd_keys_are_kept_apart(bed):
    c = bed.login()
    long = [b"k" * 249 + bytes([x]) for x in b"ab"]
    for key in long:
        assert c.set(key, key[-1:]) == b"STORED\r\n"
    assert [c.get(key) for key in long] == [b"a", b"b"]
    assert c.set(b"k" * 251, b"x").startswith(b"CLIENT_ERROR")
    b = bed.binary_login()
    odd = b"new\r\nline \x00\x7f"
    assert b.binary(0x01, odd, b"odd", bytes(8)).status == 0
    hit = b.binary(0x0C, odd)
    assert (hit.key, hit.value) == (odd, b"odd")


def test_two_caches_never_see_each_other(bed):
    a, b = bed.login(), bed.login(OTHER)
    a.set(b"same", b"one")
    assert b.get(b"same") is None
    b.set(b"same", b"two")
    assert (a.get(b"same"), b.get(b"same")) == (b"one", b"two")


def test_the_open_listener_serves_its_cache(bed):
    c, o = bed.login(), bed.open_client()
    c.set(b"open", b"yes")
    assert o.get(b"open") == b"yes"
    assert o.set(b"open", b"written") == b"STORED\r\n"
    assert bed.open_client().binary(0x00, b"open").value == b"written"


# The binary protocol.

def test_binary_commands_do_what_memcached_does(bed):
    b = bed.binary_login()
    stored = b.binary(0x01, b"b", b"hi", struct.pack("!II", 9, 0))
    assert (stored.status, stored.cas != 0) == (0, True)
    hit = b.binary(0x00, b"b")
    assert (hit.value, hit.extras, hit.cas) == (b"hi", struct.pack("!I", 9), stored.cas)
    assert b.binary(0x0C, b"b").key == b"b"
    assert b.binary(0x02, b"b", b"x", bytes(8)).status == 2
    assert b.binary(0x03, b"nothing", b"x", bytes(8)).status == 1
    assert b.binary(0x0E, b"b", b"!").status == 0
    assert b.binary(0x0F, b"nothing", b"!").status == 5
    assert b.binary(0x01, b"b", b"x", bytes(8), cas=stored.cas).status == 2
    assert b.binary(0x04, b"b").status == 0
    assert b.binary(0x04, b"b").status == 1
    assert b.binary(0x00, b"b").status == 1
    incr = struct.pack("!QQI", 5, 100, 0)
    assert b.binary(0x05, b"count", b"", incr).value == struct.pack("!Q", 100)
    assert b.binary(0x05, b"count", b"", incr).value == struct.pack("!Q", 105)
    assert b.binary(0x06, b"count", b"", incr).value == struct.pack("!Q", 100)
    no_create = struct.pack("!QQI", 5, 100, 0xFFFFFFFF)
    assert b.binary(0x05, b"none", b"", no_create).status == 1
    assert b.binary(0x1C, b"count", b"", struct.pack("!I", 60)).status == 0
    assert b.binary(0x1D, b"count", b"", struct.pack("!I", 60)).value == b"100"
    assert b.binary(0x0B).value == b"1.6.18-mcguard"
    assert b.binary(0x77).status == 0x81
    assert b.binary(0x0A).status == 0


def test_quiet_binary_commands_speak_only_when_it_matters(bed):
    b = bed.binary_login()
    b.send(frame(0x11, b"q1", b"one", bytes(8), opaque=1) + frame(0x09, b"q1", opaque=2) +
           frame(0x09, b"missing", opaque=3) + frame(0x0D, b"q1", opaque=4) +
           frame(0x14, b"missing", opaque=5) + frame(0x12, b"q1", b"x", bytes(8), opaque=6) +
           frame(0x0A, opaque=7))
    answers = []
    while not answers or answers[-1].opcode != 0x0A:
        answers.append(b.response())
    assert [(r.opaque, r.status) for r in answers] == [(2, 0), (4, 0), (5, 1), (6, 2), (7, 0)]


def test_binary_stats_end_with_an_empty_one(bed):
    b = bed.binary_login()
    b.send(frame(0x10))
    names = []
    while True:
        stat = b.response()
        if not stat.key:
            break
        names.append(stat.key)
    assert {b"cmd_get", b"get_hits", b"curr_connections", b"version"} <= set(names)


def test_libmemcacheds_conformance_test_passes():
    with ProxyBed() as bed:
        def answer(args):
            return {"ok": True, "value": bed.flush(args["cache"], bed.flushes + 2)}

        with FakeAgent(bed, answer):
            done = subprocess.run(["memccapable", "-h", bed.address, "-p", str(bed.open_port),
                                   "-t", "5", "-v"], capture_output=True, text=True, timeout=120)
        assert "All tests passed" in done.stdout, done.stdout + done.stderr


# Who may come in, and what they may do.

def test_strangers_are_told_to_authenticate(bed):
    c = bed.stranger()
    for command in (b"get a\r\n", b"version\r\n", b"stats\r\n", b"flush_all\r\n", b"nonsense\r\n"):
        c.call(command, b"CLIENT_ERROR unauthenticated\r\n")
    c.call(b"set %s 0 0 3\r\nbad\r\n" % USER.encode(), b"CLIENT_ERROR authentication failure\r\n")
    both = f"{USER} {PASSWORD}".encode()
    c.call(b"set auth 0 0 %d\r\n%s\r\n" % (len(both), both), b"STORED\r\n")
    c.call(b"get nothing\r\n", b"END\r\n")
    # By binary memcached closes behind the refusal.
    for opcode in (0x00, 0x07, 0x09, 0x0a, 0x77):
        b = bed.stranger()
        assert b.binary(opcode, b"k" if opcode in (0, 9) else b"").status == 0x20
        assert b.is_closed()
    b = bed.stranger()
    assert b.binary(0x0b).status == 0
    assert b.binary(0x20).value == b"PLAIN"
    assert b.binary(0x21, b"PLAIN", b"\0nobody\0x").status == 0x20
    assert b.binary(0x21, b"PLAIN", b"").status == 0x21
    assert b.binary(0x22, b"PLAIN", f"\0{USER}\0{PASSWORD}".encode()).status == 0
    assert b.binary(0x00, b"nothing").status == 1


def test_guessing_passwords_ends_the_connection(bed):
    c = bed.stranger()
    for _ in range(5):
        c.call(b"set %s 0 0 3\r\nbad\r\n" % USER.encode(), b"CLIENT_ERROR authentication failure\r\n")
    assert c.is_closed()


def test_a_reader_changes_nothing_and_stays_connected(bed):
    bed.login().set(b"r", b"7")
    c = bed.login(READER)
    for command in (b"set", b"add", b"replace", b"append", b"prepend"):
        c.call(command + b" r 0 0 1\r\nx\r\n", b"NOT_STORED\r\n")
    c.call(b"cas r 0 0 1 5\r\nx\r\n", b"NOT_STORED\r\n")
    for command in (b"delete r", b"incr r 1", b"decr r 1", b"touch r 0"):
        c.call(command + b"\r\n", b"NOT_FOUND\r\n")
    c.call(b"gat 1 r\r\n", b"VALUE r 0 1\r\n7\r\nEND\r\n")
    c.call(b"flush_all\r\n", b"CLIENT_ERROR flush_all not allowed\r\n")
    b = bed.binary_login(READER)
    assert b.binary(0x01, b"r", b"x", bytes(8)).status == 5
    assert b.binary(0x04, b"r").status == 1
    assert b.binary(0x08).status == 0x20
    assert b.binary(0x00, b"r").value == b"7"


def test_garbage_closes_only_its_own_connection(bed):
    neighbour = bed.login()
    for garbage in (b"\x80" + bytes(100), b"\x81\x00\x00", os.urandom(20000), b"\x16\x03\x01\x02" * 2000,
                    b"a" * 5000):
        c = bed.stranger()
        try:
            c.send(garbage)
            c.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        while not c.is_closed():
            pass
    assert neighbour.set(b"fine", b"1") == b"STORED\r\n"


def test_a_change_of_a_credential_reaches_open_connections():
    with ProxyBed() as bed:
        c, gone = bed.login(), bed.login(OTHER)
        reader = bed.credential(USER, 1, write=False)
        known = {"credentials": [reader, bed.credential(READER, 1)]}
        bed.configure(**known)  # USER has another salt now: it must authenticate again
        c.send(b"get a\r\n")
        assert c.is_closed()
        gone.send(b"get a\r\n")
        assert gone.is_closed()
        c = bed.login()
        assert c.set(b"a", b"1") == b"NOT_STORED\r\n"
        bed.control("change", base=bed.generation, generation=bed.generation + 1,
                    credentials=[{**reader, "write": True}])
        bed.generation += 1
        assert c.set(b"a", b"1") == b"STORED\r\n"
        answer = bed.raw_control("change", base=1, generation=99)
        assert answer["error"]["code"] == "conflict"
        bed.control("change", base=bed.generation, generation=bed.generation + 1,
                    caches=[{"id": 1, "label": "", "generation": 1, "enabled": False}])
        c.send(b"get a\r\n")
        assert c.is_closed()


def test_connections_beyond_a_limit_are_refused_quickly():
    with ProxyBed(yaml="limits: {connections: 3}\ntimeouts: {authenticate: 300ms}") as bed:
        kept = [bed.login() for _ in range(3)]
        refused = bed.stranger()
        assert refused.line() == b"SERVER_ERROR too many open connections\r\n"
        kept.pop().socket.close()
        wait_for("a place is free", lambda: bed.control("status")["connections"] == 2, 5)
        assert bed.stranger().is_closed(2), "it never authenticates"


@pytest.mark.parametrize("reason", ["connection_rate", "connection_limit"])
def test_a_good_login_beyond_a_limit_hears_why_before_the_end(reason):
    is_rate = reason == "connection_rate"
    text = b"too many new connections, try again" if is_rate else b"too many open connections"
    with ProxyBed(yaml="limits: {connection_rate: {credential: 1}}" if is_rate else "") as bed:
        if not is_rate:
            bed.control("change", base=bed.generation, generation=bed.generation + 1,
                        caches=[{"id": 1, "label": "", "generation": 1, "connection_limit": 1}])
        login = b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode())
        kept = bed.login()

        def ascii_refusal():
            client = bed.stranger()
            answer = client.ask(login + b"get a\r\n")
            return client if answer == b"SERVER_ERROR " + text + b"\r\n" else None
        # A second without a login, on a slow machine, would let one in.
        assert wait_for("refused", ascii_refusal, 5).is_closed(2), "and nothing more is obeyed"

        def binary_refusal():
            client = bed.stranger()
            answer = client.binary(0x21, b"PLAIN", b"\0" + USER.encode() + b"\0" + PASSWORD.encode())
            return client if (answer.status, answer.value) == (0x86, text) else None
        assert wait_for("refused", binary_refusal, 5).is_closed(2)
        assert bed_metrics(bed)[f'mcguard_proxy_errors_total{{reason="{reason}"}}'] >= 2
        assert kept.set(b"a", b"1") == b"STORED\r\n"


def test_a_client_that_does_not_read_is_cut_and_others_are_not():
    with ProxyBed(yaml="limits: {in_flight_bytes: 2MiB}") as bed:
        neighbour = bed.login()
        neighbour.set(b"big", bytes(500_000))

        def is_cut_off():
            """False where a machine was so slow that misses came, or one value after the other."""
            client = bed.login()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(b"get big\r\n" * 200)
            try:
                wait_for("it is gone", lambda: bed.control("status")["connections"] == 1, 5)
                return True
            except AssertionError:
                return False
            finally:
                client.socket.close()
                wait_for("only the neighbour is left", lambda: bed.control("status")["connections"] == 1)
        wait_for("it is cut off", is_cut_off, 60)
        assert neighbour.get(b"nothing") is None
        metrics = bed_metrics(bed)
        assert metrics['mcguard_proxy_errors_total{reason="memory_limit"}'] == 1


def peak_memory(bed):
    """The most that the proxy has had resident so far, in bytes."""
    status = Path(f"/proc/{bed.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) << 10


def settled(bed, least):
    """Whether the backends have answered everything, and at least so many requests."""
    metrics = bed_metrics(bed)

    def total(name):
        return sum(v for n, v in metrics.items() if n.startswith(f"mcguard_proxy_backend_{name}"))
    return total("requests_in_flight") == 0 and least <= (
        metrics["mcguard_proxy_get_hits_total"] + metrics["mcguard_proxy_get_misses_total"])


def test_one_get_of_very_many_large_values_is_sent_in_parts_to_a_slow_reader():
    """1 GB is asked for in one line; what is kept meanwhile is bounded, and the client is not cut."""
    with ProxyBed(workers=1) as bed:
        reader, neighbour = bed.login(), bed.login()
        neighbour.set(b"big", bytes(250_000))
        neighbour.set(b"small", b"1")
        before = peak_memory(bed)
        reader.send(b"get" + b" big" * 4096 + b"\r\n")
        wait_for("it has what may be sent to it", lambda: settled(bed, 32), 20)
        first = peak_memory(bed) - before
        for _ in range(1000):
            assert reader.line() == b"VALUE big 0 250000\r\n"
            assert len(reader.read(250_002)) == 250_002
        later = peak_memory(bed) - before
        print(f"the peak grew by {first >> 20} MiB, and by {later >> 20} MiB after 1000 values were read")
        # The address sanitizer keeps 256 MiB of what was freed.
        assert later < (100 if not os.environ.get("MCGUARD_SANITIZE") else 400) << 20
        assert neighbour.get(b"small") == b"1"
        assert bed.control("status")["connections"] == 2


def test_a_client_that_has_said_all_is_answered_in_full(bed):
    """More than may be under way at once, and then the end of its input."""
    bed.login().set(b"h", b"1")
    for _ in range(20):
        client = bed.login()
        client.send(b"get h\r\n" * 3000 + b"get")
        client.socket.shutdown(socket.SHUT_WR)
        answer = b"VALUE h 0 1\r\n1\r\nEND\r\n"
        assert client.read(len(answer) * 3000) == answer * 3000
        assert client.is_closed()


def test_values_that_take_longer_than_the_fences_window_are_still_confirmed():
    """3 MB at 4 MB/s: the fence record that comes behind them is always too old."""
    with ProxyBed(backends=1, workers=1, yaml="timeouts: {request: 20s}\n") as bed:
        here = (bed.backend_addresses[0][:-2] + "99", bed.backend_port)
        with NarrowWire(here, (bed.backend_addresses[0], bed.backend_port), 4_000_000) as wire:
            bed.configure(backends=[{"id": "b0", "address": here[0], "port": here[1]}])
            bed.wait_unfenced()
            client = bed.login()
            keys = [b"large%d" % i for i in range(12)]
            for i, key in enumerate(keys):
                assert client.set(key, b"%d" % (i % 10) * 250_000) == b"STORED\r\n"
            client.send(b"get " + b" ".join(keys) + b"\r\n")
            for i, key in enumerate(keys):
                assert client.line() == b"VALUE %s 0 250000\r\n" % key
                assert client.read(250_002) == b"%d" % (i % 10) * 250_000 + b"\r\n"
            assert client.line() == b"END\r\n"
            assert wire.accepted >= 2, "the record was read beside them"
            # It still is a fence: what this proxy does not know yet holds back.
            client.send(b"get " + b" ".join(keys) + b"\r\n")
            bed.write_fence(epoch=bed.epoch + 1)
            seen = 0
            while client.line() != b"END\r\n":
                client.read(250_002)
                seen += 1
            assert seen < len(keys)


def test_a_get_of_half_a_million_keys_holds_little_and_lets_others_pass():
    with ProxyBed(workers=1) as bed:
        asker, neighbour = bed.login(), bed.login()
        neighbour.set(b"a", b"1")
        neighbour.set(b"small", b"1")
        before = peak_memory(bed)
        count = 500_000
        asker.send(b"get" + b" a" * count + b"\r\n")
        waits = []
        seen = 0
        while seen < count:
            begun = time.monotonic()
            assert neighbour.get(b"small") == b"1"
            waits.append(time.monotonic() - begun)
            asker.read(len(b"VALUE a 0 1\r\n1\r\n") * 1000)
            seen += 1000
        assert asker.line() == b"END\r\n"
        assert peak_memory(bed) - before < (16 if not os.environ.get("MCGUARD_SANITIZE") else 300) << 20
        # With both backends away every key is answered at once.
        for i in range(2):
            bed.memcached[i].kill()
            bed.memcached[i].wait()
        wait_for("they are gone", lambda: neighbour.get(b"small") is None and neighbour.get(b"a") is None, 5)
        asker.send(b"get" + b" a" * count + b"\r\n")
        assert asker.line() == b"END\r\n"
        waits.sort()
        print(f"beside it a get took {waits[len(waits) // 2] * 1e3:.2f} ms, at most {waits[-1] * 1e3:.1f}")


def test_an_error_ends_a_get_of_many_keys_and_not_the_next():
    with ProxyBed(workers=1, yaml="on_backend_failure: error\n") as bed:
        client = bed.login()
        here, gone = bed.keys(0, 2), bed.keys(1, 1)
        for key in here + gone:
            assert client.set(key, b"1") == b"STORED\r\n"
        bed.memcached[1].kill()
        bed.memcached[1].wait()

        def error_of(keys):
            client.send(b"get " + b" ".join(keys) + b"\r\nget " + b" ".join(here) + b"\r\n")
            lines = []
            while not (lines and lines[-1].startswith((b"SERVER_ERROR", b"END"))):
                lines.append(client.line())
            for key in here:
                assert client.line() == b"VALUE %s 0 1\r\n" % key
                assert client.line() == b"1\r\n"
            assert client.line() == b"END\r\n"
            return lines
        wait_for("it is an error", lambda: error_of(gone + here)[-1].startswith(b"SERVER_ERROR"), 5)
        many = (here + gone) * 20_000
        lines = error_of(many)
        assert lines[-1].startswith(b"SERVER_ERROR")
        assert len(lines) <= 2 * 2 + 1, "nothing follows the error"


def test_a_get_of_many_keys_is_answered_in_order_however_it_is_sent():
    with ProxyBed(workers=1) as bed:
        client = bed.login()
        values = {b"k%d" % i: b"%d" % i * (1 + i % 7 * 20_000) for i in range(300)}
        for key, value in values.items():
            assert client.set(key, value) == b"STORED\r\n"
        fresh = bed.login()
        asked = list(values) + [b"nothing"] + list(values)[:50]
        fresh.send(b"get " + b" ".join(asked) + b"\r\nget k1 k2\r\nquit\r\n")
        expected = b"".join(b"VALUE %s 0 %d\r\n%s\r\n" % (k, len(values[k]), values[k])
                            for k in asked if k in values) + b"END\r\n"
        expected += b"VALUE k1 0 %d\r\n%s\r\nVALUE k2 0 %d\r\n%s\r\nEND\r\n" % (
            len(values[b"k1"]), values[b"k1"], len(values[b"k2"]), values[b"k2"])
        assert fresh.read(len(expected)) == expected
        assert fresh.is_closed()


def test_a_flush_in_the_middle_of_a_get_that_is_sent_in_parts_is_seen():
    with ProxyBed(workers=1) as bed:
        reader = bed.login()
        bed.login().set(b"big", bytes(1_000_000))
        reader.send(b"get" + b" big" * 200 + b"\r\n")
        wait_for("it has what may be sent to it", lambda: settled(bed, 32), 20)
        bed.flush(1, 2)
        seen = 0
        while (line := reader.line()) != b"END\r\n":
            assert line == b"VALUE big 0 1000000\r\n"
            reader.read(1_000_002)
            seen += 1
        assert 0 < seen < 60, "of what was sent before it, and nothing after"


# One view.

def test_what_a_backend_held_before_is_never_read_again():
    with ProxyBed() as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        slot = slot_of(1, key)
        c.set(key, b"first")
        home = list(bed.owner)
        moved = list(home)
        moved[slot] = 1
        epoch = bed.prepare(moved)
        bed.write_fence()
        assert c.get(key) is None
        assert c.set(key, b"x").startswith(b"SERVER_ERROR")
        still = bed.keys(0, 2, prefix=b"still")[0]
        assert c.set(still, b"1") == b"STORED\r\n", "slots that stay are served"
        bed.commit(epoch)
        assert c.get(key) is None
        c.set(key, b"second")
        bed.commit(bed.prepare(home))
        bed.write_fence()
        assert c.get(key) is None, "backend 0 still holds `first` under the old since"
        assert c.set(key, b"third") == b"STORED\r\n"
        assert c.get(key) == b"third"


def test_a_prepared_epoch_can_be_aborted_and_is_never_committed_twice():
    with ProxyBed() as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        c.set(key, b"kept")
        home, since = list(bed.owner), list(bed.since)
        moved = [1] * SLOTS
        epoch = bed.prepare(moved)
        bed.write_fence()
        assert c.get(key) is None
        bed.control("epoch.abort", epoch=epoch)
        assert c.get(key) == b"kept", "the record of an aborted epoch is no news"
        answer = bed.raw_control("epoch.commit", epoch=epoch)
        assert answer["error"]["code"] == "conflict"
        bed.owner, bed.since = home, since
        bed.epoch = 0
        answer = bed.raw_control("epoch.prepare", table=bed.table(1))
        assert answer["error"]["code"] == "refused"
        status = bed.control("status")
        assert (status["committed"], status["prepared"]) == (1, 0)


def test_requests_in_flight_are_answered_when_their_slots_move():
    with ProxyBed(yaml="timeouts: {request: 20s}") as bed:
        c, w = bed.login(), bed.login()
        key = bed.keys(0)[0]
        c.set(key, b"old")
        bed.stop_backend(0)
        before = requests_of(bed)
        c.send(b"get %s\r\n" % key)
        w.send(b"set %s 0 0 3\r\nnew\r\n" % key)
        wait_for("both are under way", lambda: requests_of(bed) == [n + 1 for n in before], 5)
        begun = time.monotonic()
        epoch = bed.prepare([1] * SLOTS)
        c.call(b"", b"END\r\n")
        assert w.line().startswith(b"SERVER_ERROR")
        assert time.monotonic() - begun < 3
        bed.commit(epoch)
        bed.write_fence(backends=[1])
        assert c.get(key) is None
        assert c.set(key, b"moved") == b"STORED\r\n"
        bed.continue_backend(0)
        bed.write_fence()
        assert c.get(key) == b"moved", "late replies are discarded"


def test_fence_records_decide_what_may_be_served():
    with ProxyBed() as bed:
        c = bed.login()
        one, two = bed.keys(0)[0], bed.keys(1)[0]
        c.set(one, b"1"), c.set(two, b"2")
        with bed.backend(0) as backend:
            backend.call(b"delete !mcguard/fence\r\n", b"DELETED\r\n")
        wait_for("backend 0 is fenced", lambda: c.get(one) is None, 1)
        assert c.set(one, b"x").startswith(b"SERVER_ERROR")
        assert c.get(two) == b"2"
        wait_for("it says so", lambda: bed.control("status")["fenced_backends"] == ["b0"], 1)
        bed.write_fence()
        wait_for("it is served again", lambda: c.get(one) == b"1", 1)
        bed.write_fence(flushes=1, backends=[1])
        wait_for("a newer record fences every backend", lambda: c.get(one) is None, 1)
        assert c.set(two, b"x").startswith(b"SERVER_ERROR")
        bed.flush(2, 2)
        wait_for("configured to it", lambda: c.get(one) == b"1", 1)
        bed.write_fence(epoch=bed.epoch + 1, backends=[0])
        wait_for("a newer epoch fences", lambda: c.get(two) is None, 1)
        bed.commit(bed.prepare())
        wait_for("committed to it", lambda: c.get(two) == b"2", 1)


@pytest.mark.parametrize("who, asked_before", [("backend", 0), ("backend", 0.15), ("proxy", 0)])
def test_what_stood_still_for_longer_than_the_window_refuses_nothing(who, asked_before):
    """Replies that come when the record has grown old wait for it to be read again, also where a reply that
    was asked for before them comes with them."""
    with ProxyBed() as bed:
        c = bed.login()
        key, other = bed.keys(0, 2)
        c.set(key, b"1")
        process = bed.memcached[0] if who == "backend" else bed.process
        for i in range(5):
            process.send_signal(signal.SIGSTOP)
            pause(asked_before)  # the record is asked for every 0.1 s
            c.send(b"get %s\r\nset %s 0 0 1\r\n%d\r\n" % (key, other, i))
            pause(0.5)  # how long it stands still: longer than the window, shorter than the deadline
            process.send_signal(signal.SIGCONT)
            c.call(b"", b"VALUE %s 0 1\r\n1\r\nEND\r\nSTORED\r\n" % key)
            assert c.get(other) == b"%d" % i
        assert bed_metrics(bed)['mcguard_proxy_errors_total{reason="fenced"}'] == 0


def test_a_proxy_that_missed_a_flush_stays_fenced():
    with ProxyBed() as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        c.set(key, b"1")
        bed.flushes = 1  # the first never arrives
        bed.flush(2, 2)
        bed.write_fence()
        wait_for("fenced", lambda: c.get(key) is None, 1)
        assert bed.control("status")["flush_sequence"] == 0
        bed.control("flush", cache=2, generation=2, sequence=1)
        wait_for("complete", lambda: c.get(key) == b"1", 1)
        assert bed.control("status")["flush_sequence"] == 2


def test_a_stopped_proxy_never_serves_what_changed_meanwhile():
    with ProxyBed() as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        c.set(key, b"old")
        for _ in range(5):
            c.send(b"get %s\r\n" % key * 50)
            bed.process.send_signal(signal.SIGSTOP)
            bed.write_fence(epoch=bed.epoch + 1)  # another proxy serves by a newer epoch
            pause(0.6)  # how long it stands still
            c.send(b"get %s\r\nmn\r\n" % key)
            bed.process.send_signal(signal.SIGCONT)
            text = c.read_until(b"MN\r\n")
            last = text[:-len(b"MN\r\n")].rsplit(b"END\r\n", 2)[-2]
            assert last == b"", "asked after the record was 500 ms old"
            bed.commit(bed.prepare())
            wait_for("it serves again", lambda: c.get(key) == b"old", 2)


# Backends that fail.

def test_a_stopped_backend_fails_fast_and_comes_back():
    with ProxyBed(yaml="timeouts: {request: 400ms, connect: 200ms}") as bed:
        c = bed.login()
        one, two = bed.keys(0)[0], bed.keys(1)[0]
        c.set(one, b"1"), c.set(two, b"2")
        bed.stop_backend(0)
        begun = time.monotonic()
        assert c.get(one) is None
        assert 0.3 < time.monotonic() - begun < 1.5
        begun = time.monotonic()
        for _ in range(20):
            assert c.get(one) is None
            assert c.set(one, b"x").startswith(b"SERVER_ERROR")
        assert time.monotonic() - begun < 0.2, "known to be stuck: answered at once"
        assert c.get(two) == b"2"
        bed.continue_backend(0)
        wait_for("it is used again", lambda: c.get(one) is not None, 5)


def test_a_killed_backend_fails_fast_and_its_successor_is_found():
    with ProxyBed(yaml="on_backend_failure: error") as bed:
        c = bed.login()
        one, two = bed.keys(0)[0], bed.keys(1)[0]
        c.set(one, b"1"), c.set(two, b"2")
        bed.memcached[0].kill()
        bed.memcached[0].wait()
        c.send(b"get %s\r\n" % one)
        assert c.line() == b"SERVER_ERROR backend unavailable\r\n"
        c.call(b"get %s %s\r\n" % (two, one),
               b"VALUE %s 0 1\r\n2\r\nSERVER_ERROR backend unavailable\r\n" % two)
        c.call(b"get %s %s\r\n" % (one, two), b"SERVER_ERROR backend unavailable\r\n")
        b = bed.binary_login()
        assert b.binary(0x00, one).status == 0x86
        assert b.binary(0x00, two).value == b"2"
        bed.start_backend(0)
        wait_for("connected", lambda: c.set(one, b"9") == b"STORED\r\n" or bed.write_fence(), 5)
        assert c.get(one) == b"9"


# What survives.

def test_a_restarted_proxy_serves_from_disk():
    with ProxyBed() as bed:
        c = bed.login()
        key = bed.keys(0)[0]
        c.set(key, b"old")
        bed.flush(1, 2)
        bed.write_fence()
        assert c.get(key) is None
        c.set(key, b"flushed")
        epoch = bed.prepare([1] * SLOTS)
        bed.write_fence()
        bed.kill_proxy()
        bed.start_proxy()
        status = bed.control("status")
        assert (status["committed"], status["prepared"]) == (1, epoch)
        assert (status["flush_sequence"], status["config_generation"]) == (1, 1)
        bed.wait_unfenced()
        c = bed.login()
        stays = bed.keys(1, prefix=b"stays", owner=[s % 2 for s in range(SLOTS)])[0]
        assert c.set(stays, b"1") == b"STORED\r\n"
        assert c.get(key) is None, "its slot is moving"
        bed.commit(epoch)
        c.set(key, b"new")
        bed.kill_proxy()
        bed.start_proxy()
        bed.wait_unfenced()
        assert bed.login().get(key) == b"new"
        assert bed.control("status")["committed"] == epoch
        assert bed.raw_control("flush", fence=0, cache=1, generation=3, sequence=2)["error"]["code"] == \
            "refused", "the fence is remembered"


def test_a_torn_line_of_the_log_is_dropped():
    with ProxyBed() as bed:
        bed.flush(1, 2)
        bed.kill_proxy()
        with open(bed.path / "state/changes.log", "ab") as log:
            log.write(b'{"flush":{"cache":1,"gen')
        bed.start_proxy()
        assert bed.control("status")["flush_sequence"] == 1
        assert bed.flush(1, 3)["generation"] == 3
        bed.kill_proxy()
        bed.start_proxy()
        assert bed.control("status")["flush_sequence"] == 2


def test_a_lower_fence_is_refused():
    with ProxyBed() as bed:
        assert bed.raw_control("configure", fence=9, generation=5)["ok"]
        answer = bed.raw_control("configure", fence=8, generation=6)
        assert answer["error"]["code"] == "refused"
        assert bed.raw_control("nonsense", fence=9)["error"]["code"] == "not_found"


def test_a_value_never_becomes_a_command_of_the_shared_connection():
    with ProxyBed() as bed:
        c, other = bed.login(), bed.login(OTHER)
        keys = bed.keys(0, 3) + bed.keys(1, 3)
        for key in keys:
            other.set(key, b"other:" + key)
        with bed.backend(0) as backend:
            before = backend.get(b"!mcguard/fence")
        flags = [b"A C1 D F G H I J K M N O R S T U", b"A C1 D F G H I J K M N O R S T U V",
                 b" ".join(bytes([x]) for x in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"), b"S100 S100",
                 b"O" + b"x" * 1900, b"\x00", b"k\x00", b"F99999999999999999999", b"T-", b"MX", b"b", b"C", b"E", b"I J K"]
        values = [b"set !mcguard/fence 0 0 9\r\n9999 9999", b"mg !mcguard/fence v", b"flush_all", b"mn\r\nmn\r\nmn"]
        for key in keys[:2]:
            for line in flags:
                for value in values:
                    c.send(b"ms %s %d %s\r\n%s\r\nmn\r\n" % (key, len(value), line, value))
                    c.read_until(b"MN\r\n")
                    for other_key in keys:
                        assert other.get(other_key) == b"other:" + other_key, (line, value)
        # A line that the stored key's prefix makes longer than memcached follows.
        for size in range(1900, 2040, 7):
            request = b"mg %s k O%s\r\n" % (keys[0], b"x" * (size - len(keys[0]) - 8))
            c.send(request * 20 + b"mn\r\n")
            c.read_until(b"MN\r\n")
        assert other.get(keys[0]) == b"other:" + keys[0]
        with bed.backend(0) as backend:
            assert backend.get(b"!mcguard/fence") == before
        assert "backend_down" not in bed.log()


# Flushes.

def test_flush_all_waits_for_the_agent_and_only_for_its_client():
    with ProxyBed() as bed:
        go = threading.Event()

        def answer(args):
            go.wait(5)
            generation = bed.flush(args["cache"], 2)["generation"]
            return {"ok": True, "value": {"generation": generation}}

        c, other = bed.login(), bed.login(OTHER)
        keys = bed.keys(0, 3) + bed.keys(1, 3)
        for key in keys:
            c.set(key, b"x"), other.set(key, b"y")
        with FakeAgent(bed, answer) as agent:
            c.send(b"flush_all\r\nget %s\r\n" % b" ".join(keys))
            wait_for("the agent is asked", lambda: agent.calls, 5)
            assert other.get(keys[0]) == b"y"
            go.set()
            c.call(b"", b"OK\r\nEND\r\n")
            assert agent.calls[0]["args"] == {"proxy": "test-proxy", "cache": 1, "credential": USER,
                                              "delay_s": 0}
        assert other.get(keys[0]) == b"y", "the other cache keeps its values"


def test_writes_wait_until_a_flush_is_complete_everywhere():
    with ProxyBed() as bed:
        c, other, b = bed.login(), bed.login(OTHER), bed.binary_login()
        key = bed.keys(0)[0]
        c.set(key, b"1")
        bed.flush(1, 2, complete=False)
        assert c.get(key) is None, "flushed here"
        for write in (b"set %s 0 0 1\r\n2\r\n", b"add %s 0 0 1\r\n2\r\n", b"delete %s\r\n",
                      b"incr %s 1\r\n", b"touch %s 9\r\n", b"cas %s 0 0 1 1\r\n2\r\n"):
            c.send(write % key)
            assert c.line().startswith(b"SERVER_ERROR "), write
        assert b.binary(0x01, key, b"2", bytes(8)).status == 0x86
        assert c.get(key) is None
        assert other.set(key, b"y") == b"STORED\r\n", "only the cache that is flushed waits"
        bed.kill_proxy()
        bed.start_proxy()
        bed.wait_unfenced()
        c = bed.login()
        assert c.set(key, b"3").startswith(b"SERVER_ERROR "), "remembered across a restart"
        bed.complete_flush()
        assert c.set(key, b"4") == b"STORED\r\n"
        bed.kill_proxy()
        bed.start_proxy()
        bed.wait_unfenced()
        c = bed.login()
        assert c.get(key) == b"4"
        assert c.set(key, b"5") == b"STORED\r\n", "and so is its end"


def test_flush_all_says_what_became_of_it():
    with ProxyBed() as bed:
        c = bed.login()
        c.send(b"flush_all\r\n")
        assert c.line().startswith(b"SERVER_ERROR flush refused: ")
        with FakeAgent(bed, lambda args: {"ok": False, "error": {"code": "timeout", "context": "x"}}):
            c.call(b"flush_all 10\r\n", b"SERVER_ERROR flush pending\r\n")
            assert bed.binary_login().binary(0x08).status == 0x86


# Operation.

def bed_metrics(bed):
    import urllib.request
    url = f"http://{bed.address}:{bed.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as page:
        text = page.read().decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if line and not line.startswith("#")}


def requests_of(bed):
    """How many gets and sets have begun."""
    metrics = bed_metrics(bed)
    return [metrics[f'mcguard_proxy_requests_total{{operation="{o}"}}'] for o in ("get", "set")]


def test_metrics_are_clean_listed_and_count(bed):
    import urllib.request
    c = bed.login()
    before = bed_metrics(bed)
    c.set(b"m", b"1"), c.get(b"m"), c.get(b"none")
    after = wait_for("counted", lambda: bed_metrics(bed), 5)
    grown = {k: after[k] - before.get(k, 0) for k in after}
    assert grown['mcguard_proxy_requests_total{operation="set"}'] == 1
    assert grown['mcguard_proxy_requests_total{operation="get"}'] == 2
    assert (grown["mcguard_proxy_get_hits_total"], grown["mcguard_proxy_get_misses_total"]) == (1, 1)
    url = f"http://{bed.address}:{bed.metrics_port}"
    with urllib.request.urlopen(url + "/metrics") as page:
        text = page.read()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b""), checked.stderr
    listed = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()
    sections = {part.split(" ", 1)[0]: set(re.findall(r"^\| `(\w+)`", part, re.M))
                for part in listed.split("\n## ")}
    shown = {name.decode() for name in re.findall(rb"^# TYPE (\S+)", text, re.M)}
    tls_only = {"mcguard_proxy_tls_certificate_not_after_timestamp_seconds",
                "mcguard_proxy_tls_certificate_ok"}  # see test_tls.py
    assert shown | tls_only == sections["Proxy"] | sections["Processes"]
    with urllib.request.urlopen(url + "/metrics/caches") as page:
        caches = page.read()
    assert {n.decode() for n in re.findall(rb"^# TYPE (\S+)", caches, re.M)} == sections["Caches"]
    with urllib.request.urlopen(url + "/-/ready") as page:
        assert page.status == 200


def test_drain_finishes_and_the_process_ends_with_0():
    with ProxyBed() as bed:
        c = bed.login()
        c.set(b"a", b"1")
        bed.process.terminate()
        assert c.is_closed()
        assert bed.process.wait(8) == 0
        assert not (bed.path / "proxy.sock").exists()
        assert not (bed.path / "proxy.seg").exists()


def test_a_reload_takes_limits_and_a_bad_file_changes_nothing():
    with ProxyBed() as bed:
        bed.yaml = "limits: {connections: 1}"
        bed.write_yaml()
        c = bed.login()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("reloaded", lambda: "config_reloaded" in bed.log(), 5)
        assert bed.stranger().line().startswith(b"SERVER_ERROR")
        bed.yaml = "limits: {conections: 1}"
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("refused", lambda: "config_not_reloaded" in bed.log(), 5)
        assert c.set(b"a", b"1") == b"STORED\r\n"
        bed.yaml, bed.log_level = "", "error"
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        lines = bed.log().count("config_reloaded")
        wait_for("back to no limit", lambda: may_log_in(bed), 5)
        assert bed.log().count("config_reloaded") == lines, "below the new level"


def may_log_in(bed):
    try:
        bed.login()
        return True
    except (AssertionError, OSError):
        return False


def test_starts_that_cannot_succeed_say_so_in_a_sentence(bed):
    program = BIN / "mcguard-proxy"

    def run(path, *flags):
        return subprocess.run([program, "--config", path, *flags], capture_output=True, text=True,
                              timeout=20)

    twin = bed.path / "twin.yaml"
    text = (bed.path / "proxy.yaml").read_text()
    twin.write_text(text.replace("/proxy.sock", "/twin.sock").replace("/proxy.seg", "/twin.seg")
                    .replace("/state", "/twin-state"))
    second = run(twin)
    assert second.returncode == 1
    assert re.search(r"cannot listen on .*:11211: the port is in use", second.stderr), second.stderr
    assert run(twin, "--check").returncode == 0
    twin.write_text(twin.read_text().replace("port: 11211", "port: 0").replace("port: 11213", "port: 0"))
    third = run(twin)
    assert third.returncode == 1, "the metrics port is taken"
    assert "7490" in third.stderr and "in use" in third.stderr, third.stderr
    twin.write_text(text.replace("workers: 2", "workers: many\nlsiten: 3"))
    bad = run(twin, "--check")
    assert bad.returncode == 2
    assert f"{twin}:7:10: workers:" in bad.stderr and "lsiten" in bad.stderr, bad.stderr
    missing = run(bed.path / "nowhere.yaml")
    assert (missing.returncode, missing.stdout) == (2, "")
