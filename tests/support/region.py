"""A real region for tests: started by `mcguard up` on ports and a directory of its own.

Nothing here sleeps for a guess: wait_for() polls a condition with a deadline. A region that a test
has started is stopped, and checked to have left no process behind, when its `with` block ends.
"""
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("MCGUARD_BIN", ROOT / "build/release/bin"))

# A build with sanitizers takes several times as long for everything, and runs beside others: what is to
# happen is asked of it all the same, the time that it may take of the release build alone.
PATIENCE = 4 if os.environ.get("MCGUARD_SANITIZE") else 1


def pause(seconds):
    """For intervals that belong to a test's script: polling, and faults of a given length."""
    threading.Event().wait(seconds)


def wait_for(what, condition, seconds=10.0, every=0.02):
    """The first true value of condition(); fails with `what` when the deadline passes."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        pause(every)  # the polling interval, not a guess: the condition decides


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


PORT_CLAIM = 99  # of the hundred; no region uses it
port_claims = []  # sockets, open as long as this process


def free_port_base():
    """A base of 100 ports below the ephemeral range, none of which is in use on 127.0.0.1.

    No other test gets the same while this process lives: a region's ports on 127.0.1.x show on
    127.0.0.1 only in part.
    """
    for _ in range(200):
        base = random.randrange(10000, 32000, 100)
        with contextlib.ExitStack() as stack:
            try:
                claim = stack.enter_context(socket.socket())
                claim.bind(("127.0.0.1", base + PORT_CLAIM))
                for offset in (0, 3, 20, 21, 22, 30):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", base + offset))
                port_claims.append(claim.dup())
                return base
            except OSError:
                continue
    raise AssertionError("no free ports")


class MemcacheError(Exception):
    """The server's error line, or a broken connection."""


class Memcache:
    """One ASCII connection, logged in. Every call has a time-out."""

    def __init__(self, address, username=None, password=None, timeout=2.0):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if username is not None:
            answer = self.command(f"set {username} 0 0 {len(password)}\r\n{password}\r\n".encode())
            if answer != b"STORED":
                self.close()
                raise MemcacheError(answer.decode(errors="replace"))

    def close(self):
        self.socket.close()

    def line(self):
        while b"\r\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise MemcacheError("connection closed")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def exactly(self, count):
        while len(self.buffer) < count:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise MemcacheError("connection closed")
            self.buffer += chunk
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def command(self, request):
        self.socket.sendall(request)
        return self.line()

    def set(self, key, value, exptime=0):
        data = value if isinstance(value, bytes) else str(value).encode()
        answer = self.command(f"set {key} 0 {exptime} {len(data)}\r\n".encode() + data + b"\r\n")
        if answer != b"STORED":
            raise MemcacheError(answer.decode(errors="replace"))

    def get(self, key):
        """The value as bytes, or None for a miss."""
        self.socket.sendall(f"get {key}\r\n".encode())
        value = None
        while True:
            line = self.line()
            if line == b"END":
                return value
            if not line.startswith(b"VALUE "):
                raise MemcacheError(line.decode(errors="replace"))
            value = self.exactly(int(line.split()[3]) + 2)[:-2]

    def delete(self, key):
        return self.command(f"delete {key}\r\n".encode())


class Region:
    """`mcguard up` in a directory of its own."""

    def __init__(self, *arguments, directory=None, port_base=None, keep=False):
        self.arguments = list(arguments)
        self.temporary = None if directory else tempfile.TemporaryDirectory(prefix="mcguard-")
        self.directory = Path(directory or self.temporary.name)
        self.port_base = port_base or free_port_base()
        self.keep = keep
        self.process = None
        self.log = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            self.show_logs()
        self.stop()
        if self.temporary:
            self.temporary.cleanup()

    def start(self, wait=True):
        self.log = open(self.directory / "up.log", "ab")
        self.process = subprocess.Popen(
            [BIN / "mcguard", "up", "--dir", self.directory, "--port-base", str(self.port_base),
             *self.arguments],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            wait_for("region.json is written", self.is_ready, seconds=60)

    def is_ready(self):
        assert self.process.poll() is None, "mcguard up ended: " + self.up_log()
        return (self.directory / "region.json").exists() and self.info() is not None

    def up_log(self):
        return (self.directory / "up.log").read_text(errors="replace")[-4000:]

    def show_logs(self):
        print("── up.log\n" + self.up_log(), file=sys.stderr)
        for log in sorted((self.directory / "log").glob("*.log")):
            print(f"── {log.name}\n" + log.read_text(errors="replace")[-3000:], file=sys.stderr)

    def stop(self):
        if self.process is None:
            return
        pids = self.pids()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                raise AssertionError("mcguard up did not stop within 30 s: " + self.up_log())
        self.process = None
        self.log.close()
        wait_for(f"processes {pids} have ended", lambda: not any(alive(p) for p in pids), 10)

    def info(self):
        """region.json, or None while it is missing."""
        try:
            return json.loads((self.directory / "region.json").read_text())
        except FileNotFoundError:
            return None

    def pids(self):
        info = self.info()
        if info is None:
            return []
        pids = [info["agent"]["pid"]]
        for cluster in info["clusters"]:
            pids += [p["pid"] for p in cluster["proxies"] + cluster["backends"]]
        return [p for p in pids if p]

    def cluster(self, name="amber"):
        return next(c for c in self.info()["clusters"] if c["name"] == name)

    def proxy(self, identity):
        return next(p for c in self.info()["clusters"] for p in c["proxies"] if p["id"] == identity)

    def backend(self, identity):
        return next(b for c in self.info()["clusters"] for b in c["backends"]
                    if b["id"] == identity)

    def servers(self):
        """The address and port of each proxy, in the order in which a client has them."""
        servers = self.info()["cache"]["servers"]
        return servers.split(",") if isinstance(servers, str) else servers

    def client(self, proxy_index=0, timeout=2.0):
        cache = self.info()["cache"]
        return Memcache(self.servers()[proxy_index], cache["username"], cache["password"], timeout)

    def serves(self, proxy_index):
        """Whether keys enough to meet every backend can be set and read through this proxy."""
        try:
            with contextlib.closing(self.client(proxy_index, timeout=0.5)) as client:
                for n in range(16):
                    client.set(f"serves:{n}", str(n))
                    if client.get(f"serves:{n}") != str(n).encode():
                        return False
            return True
        except (OSError, MemcacheError):
            return False

    def url(self, kind):
        return self.info()["urls"][kind].rstrip("/")

    def get_json(self, kind, path, timeout=5.0):
        with urllib.request.urlopen(self.url(kind) + path, timeout=timeout) as answer:
            return json.load(answer)

    def api(self, path, body=None, method=None):
        """A call of the operator API; acts carry the operator's token. (status, JSON)."""
        request = urllib.request.Request(
            self.url("operator") + path, method=method or ("GET" if body is None else "POST"),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json",
                     "Authorization": "Bearer "
                     + (self.directory / "operator.token").read_text().strip()})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def status(self):
        return self.get_json("operator", "/api/v1/status")

    def incidents(self, unresolved=None):
        found = self.get_json("operator", "/api/v1/incidents")
        found = found["incidents"] if isinstance(found, dict) else found
        if unresolved is None:
            return found
        return [i for i in found if (i["state"] != "resolved") == unresolved]

    def tool(self, *arguments, check=True, timeout=60):
        """Runs `mcguard ARGUMENTS --dir …` and returns the finished process."""
        done = subprocess.run([BIN / "mcguard", *map(str, arguments), "--dir", self.directory],
                              capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def quiet(self, seconds=30):
        """Waits until no incident is unresolved."""
        wait_for("every incident is resolved", lambda: not self.incidents(unresolved=True), seconds,
                 every=0.1)
