"""`mcguard conns` without an agent, in a network namespace of its own: equal to what ss lists."""
import collections
import ctypes
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import BIN, wait_for  # noqa: E402

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
STATES = {"ESTAB": "established", "CLOSE-WAIT": "close_wait", "LISTEN": "listen",
          "FIN-WAIT-1": "fin_wait_1", "FIN-WAIT-2": "fin_wait_2", "LAST-ACK": "last_ack",
          "SYN-SENT": "syn_sent", "SYN-RECV": "syn_received", "CLOSING": "closing"}
ROOT = os.geteuid() == 0


@pytest.fixture(scope="module", autouse=True)
def own_namespace():
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET if ROOT else CLONE_NEWNET | CLONE_NEWUSER) != 0:
        pytest.skip("no right to make a network namespace: " + os.strerror(ctypes.get_errno()))
    if not ROOT:
        # Without a name in its own namespace a process loses its rights when it starts another program.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def conns(*arguments, user=None):
    command = [BIN / "mcguard", "conns", "--dir", "/nonexistent", "-o", "json", *arguments]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", "--clear-groups", "--inh-caps=-all",
                   "--bounding-set=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done


def by_state(*arguments, user=None):
    done = conns(*arguments, user=user)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return {row["state"]: row["connections"] for row in answer["rows"]}, answer


def ss(port):
    listed = subprocess.run(["ss", "-Htan", f"sport = :{port}"], capture_output=True, text=True,
                            timeout=60, check=True).stdout
    counts = collections.Counter(line.split()[0] for line in listed.splitlines() if line.strip())
    counts.pop("TIME-WAIT", None)
    return {STATES[state]: count for state, count in counts.items()}


class Server:
    """A listener with connections; some of them half closed by their clients."""

    def __init__(self, family, address):
        self.listener = socket.socket(family)
        self.listener.bind((address, 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.family, self.open = family, []

    def connect(self, count, half_closed=0, to=None):
        for i in range(count):
            client = socket.socket(self.family)
            client.connect((to, self.port) if to else self.listener.getsockname()[:2])
            server, _ = self.listener.accept()
            self.open += [server, client]
            if i < half_closed:  # not close(): the kernel has room for a few thousand orphans only
                client.shutdown(socket.SHUT_WR)

    def close(self):
        for each in self.open:
            each.close()
        self.listener.close()


def sources():
    """The sources that may be used here; why events may not."""
    done = conns("--source", "bpf", "--port", "1")
    if done.returncode == 0:
        return ["diagnostics", "bpf"], ""
    return ["diagnostics"], done.stderr.strip()


def check_equal_to_ss(port):
    usable, _ = sources()
    for source in usable:
        # The last close may still be under way.
        def same():
            counts, answer = by_state("--source", source, "--port", str(port))
            assert answer["source"] == source and answer["known"]
            assert answer["exact"] == (source == "bpf")
            return counts == ss(port)
        wait_for(f"{source} counts what ss lists", same, 10)


@pytest.mark.parametrize("family,address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("count,half", [(0, 0), (1, 0), (1000, 37)])
def test_counts_equal_ss_at_rest(family, address, count, half):
    server = Server(family, address)
    try:
        server.connect(count, half)
        check_equal_to_ss(server.port)
        counts, _ = by_state("--port", str(server.port))
        assert counts["listen"] == 1
        assert counts.get("close_wait", 0) == half
        assert counts.get("established", 0) == count - half
    finally:
        server.close()


def test_a_hundred_thousand_connections_of_both_families():
    servers = [Server(socket.AF_INET, "0.0.0.0"), Server(socket.AF_INET6, "::1")]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    each = min(8000, (limit - 100) // 2)
    children = []
    try:
        left = {0: 75_000, 1: 25_000}  # one IPv6 address has ports for 28,000
        number = 0
        while any(left.values()):
            which = 0 if left[0] else 1
            count = min(each, left[which])
            left[which] -= count
            number += 1
            ready, life = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                os.close(life[1])
                servers[which].connect(count, half_closed=100,
                                       to=f"127.0.1.{number}" if which == 0 else None)
                os.write(ready[1], b"1")
                os.read(life[0], 1)
                os._exit(0)
            os.close(ready[1])
            os.close(life[0])
            children.append((child, life[1]))
            assert os.read(ready[0], 1) == b"1", "a holder of connections failed"
            os.close(ready[0])
        for server in servers:
            check_equal_to_ss(server.port)
        counts, _ = by_state()
        assert counts["established"] + counts["close_wait"] == 100_000
    finally:
        for child, life in children:
            os.close(life)
        for child, _ in children:
            os.waitpid(child, 0)
        for server in servers:
            server.close()


def test_time_wait_is_a_total_of_the_machine():
    server = Server(socket.AF_INET, "127.0.0.1")
    server.connect(20)
    server.close()

    def same():
        _, answer = by_state()
        text = Path("/proc/self/net/sockstat").read_text()
        return answer["time_wait"] == int(text.split(" tw ")[1].split()[0]) >= 20
    wait_for("time_wait is that of sockstat", same, 10)


def test_clients_and_ages():
    server = Server(socket.AF_INET, "127.0.0.1")
    try:
        server.connect(5)
        usable, _ = sources()
        for source in usable:
            done = conns("--source", source, "--by", "client", "--port", str(server.port))
            rows = json.loads(done.stdout)["rows"]
            assert [(row["client"], row["connections"]) for row in rows] == [("127.0.0.1", 5)]
        rows = json.loads(conns("--by", "age", "--port", str(server.port)).stdout)["rows"]
        assert sum(row["connections"] for row in rows) == 5
        rows = json.loads(conns("--by", "port", "--port", str(server.port)).stdout)["rows"]
        assert rows[0]["port"] == f"*:{server.port}"
        assert rows[0]["connections"] == 5
        assert rows[0]["queue_limit"] == 1024
    finally:
        server.close()


def test_says_how_it_counted_and_that_there_is_nothing():
    done = subprocess.run([BIN / "mcguard", "conns", "--dir", "/nonexistent", "--port", "9"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("no connections\n")
    assert "by socket diagnostics" in done.stdout
    assert "no agent answers here" in done.stdout


def test_refuses_what_makes_no_sense():
    for wrong in (["--port", "0"], ["--by", "colour"], ["--source", "tea-leaves"]):
        done = conns(*wrong)
        assert done.returncode == 2 and done.stderr, wrong
    done = conns("--url", "http://127.0.0.1:1", "--by", "age")
    assert done.returncode == 2 or done.returncode == 1
    assert "on this machine" in done.stderr


@pytest.mark.skipif(not ROOT, reason="needs root to give rights up")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_works_without_rights_and_says_what_is_missing():
    if subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", BIN / "mcguard", "--version"],
                      capture_output=True, check=False).returncode != 0:
        pytest.skip("another user may not run the tool from here")
    server = Server(socket.AF_INET, "127.0.0.1")
    try:
        server.connect(3)
        counts, answer = by_state("--port", str(server.port), user=65534)
        assert counts == {"established": 3, "listen": 1}
        assert answer["source"] == "diagnostics"
        done = conns("--source", "bpf", user=65534)
        assert done.returncode == 1
        assert "CAP_BPF" in done.stderr
    finally:
        server.close()


def connect_from(server, host, count):
    for _ in range(count):
        client = socket.socket(server.family)
        client.bind((host, 0))
        client.connect(server.listener.getsockname())
        server.open += [client, server.listener.accept()[0]]


def by_client(server, source):
    done = conns("--by", "client", "--source", source, "--port", str(server.port))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_handful_of_clients_and_everybody_are_told_apart():
    server = Server(socket.AF_INET, "127.0.0.1")
    hosts = [f"127.9.0.{i}" for i in range(2, 42)]  # the namespace has nobody else
    try:
        for host in hosts:
            connect_from(server, host, 3)
        for source in sources()[0]:
            spread = by_client(server, source)["spread"]
            assert spread["sentence"] == ("everybody: the 10 largest of 40 clients hold 25 % of 120 "
                                          "connections; the others 3.0 each")
        connect_from(server, hosts[7], 297)
        connect_from(server, hosts[8], 197)
        for source in sources()[0]:
            answer = by_client(server, source)
            assert answer["spread"]["kind"] == "handful", answer["spread"]
            assert (answer["spread"]["few"], answer["spread"]["held_by_few"]) == (2, 500)
            assert {answer["rows"][0]["client"], answer["rows"][1]["client"]} == {hosts[7], hosts[8]}
    finally:
        server.close()
