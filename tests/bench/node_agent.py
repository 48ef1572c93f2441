#!/usr/bin/python3 -B
"""What an agent costs its node: one proxy, twenty backends, a hundred thousand connections.

    node_agent.py [SECONDS]      of each of its three measurements; default 20

Clients send about a thousand requests a second. Measured with a thousand open connections on the
clients' port, with a hundred thousand, and while clients provoke as many errors as the proxy can
answer. Prints one line per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is
short. CPU is user + system time of the agent over wall time.
"""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from load import Load  # noqa: E402
from region import BIN, Region, free_port_base, pause, wait_for  # noqa: E402

BACKENDS = 20
FEW, MANY = 1_000, 100_000
PER_HOLDER = 9_000  # both ends are in one process, which has 20,000 descriptors
SHARE_BOUND, MIB_BOUND, GROWTH_BOUND = 0.005, 40.0, 1.10
BURST, ANSWER = b"nonsense\r\n" * 2000, b"ERROR\r\n" * 2000


def definition(base):
    root = Path(__file__).resolve().parents[2]
    backends = "\n".join(f"      - {{id: amber-backend-{n}, address: 127.0.1.{10 + n}, "
                         "memory: 8MiB, weight: 1}" for n in range(1, BACKENDS + 1))
    return f"""region: local
gameday: false
ports: {{operator: {base + 20}, status: {base + 21}, customer: {base + 22}, agents: {base + 23}}}
programs: {{proxy: {BIN}/mcguard-proxy, memcached: /usr/bin/memcached, tool: {BIN}/mcguard}}
rules_dir: {root}/rules
runbooks_dir: {root}/runbooks
policy: {root}/rules/policy.yaml
clusters:
  - name: amber
    ports: {{memcache: {base}, tls: 0, open: 0, backend: {base + 3}, metrics: {base + 30}, links: {base + 40}}}
    proxies:
      - {{id: amber-proxy-1, address: 127.0.1.1, workers: 1}}
    backends:
{backends}
"""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def hold(address, port, count):
    """A process of its own: opens so many connections to itself, says so, and waits to be ended."""
    with socket.create_server((address, port), backlog=1024) as server:
        kept = []
        for _ in range(count):
            kept.append(socket.create_connection((address, port)))
            kept.append(server.accept()[0])
        print("held", flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def held(port, count, first_host):
    holders = []
    try:
        for number, start in enumerate(range(0, count, PER_HOLDER)):
            address = f"127.0.9.{first_host + number}"
            size = min(PER_HOLDER, count - start)
            holders.append(subprocess.Popen(
                [sys.executable, "-B", __file__, "--hold", address, str(port), str(size)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for holder in holders:
            assert holder.stdout.readline() == b"held\n", "connections could not be opened"
        yield
    finally:
        for holder in holders:
            holder.stdin.close()
        for holder in holders:
            holder.wait(60)


class Errors:
    """Clients that send nothing that the proxy knows, as fast as it answers."""

    def __init__(self, region, count=2):
        self.region, self.stop, self.sent = region, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]

    def run(self):
        with contextlib.closing(self.region.client(0, timeout=20)) as client:
            while not self.stop.is_set():
                client.socket.sendall(BURST)
                assert client.exactly(len(ANSWER)) == ANSWER
                self.sent += 2000

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def measure(pid, seconds):
    """The share of a core that the process takes, and its resident memory."""
    before = cpu_seconds(pid)
    pause(seconds)
    return (cpu_seconds(pid) - before) / seconds, resident_mib(pid)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    base = free_port_base()
    with tempfile.TemporaryDirectory(prefix="mcguard-") as directory:
        (Path(directory) / "agent.yaml").write_text(definition(base))
        with Region(directory=directory, port_base=base) as region, \
                Load(region, workers=4, pause=0.005) as load:
            wait_for("load is under way", lambda: load.done() > 200)
            pid = region.info()["agent"]["pid"]
            with held(base, FEW, 1):
                pause(seconds / 2)  # it learns what is usual
                few, _ = measure(pid, seconds)
                with held(base, MANY - FEW, 2):
                    pause(seconds / 4)
                    many, memory = measure(pid, seconds)
                with Errors(region) as errors:
                    pause(seconds / 4)
                    sent = errors.sent
                    storm, _ = measure(pid, seconds)
                    rate = (errors.sent - sent) / seconds
            assert region.info()["agent"]["pid"] == pid, "the agent was restarted"
            incidents = [i["title"] for i in region.incidents()]
    print(f"# errors a second: {rate:.0f}; incidents: {incidents or 'none'}")
    short = False
    for name, ours, peer, bound in (("agent_cpu_share_100000_connections", many, None, SHARE_BOUND),
                                    ("agent_resident_mib", memory, None, MIB_BOUND),
                                    ("agent_cpu_by_100_times_the_connections", many, few, GROWTH_BOUND),
                                    ("agent_cpu_by_errors", storm, few, GROWTH_BOUND)):
        ratio = ours / peer if peer else ours
        short |= ratio > bound
        peer_text = f"{peer:.4f} {ratio:.3f}" if peer else "- -"
        print(f"{name} {ours:.4f} {peer_text} {bound} {'ok' if ratio <= bound else 'short'}")
    return 1 if short else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        sys.exit(0)
    sys.exit(main())
