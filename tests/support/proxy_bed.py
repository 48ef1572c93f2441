"""One real proxy before real memcached processes; the test plays the agent.

    with ProxyBed(backends=2) as bed:
        client = bed.login()
        client.call(b"set k 0 0 1\\r\\nv\\r\\n", b"STORED\\r\\n")

The bed writes proxy.yaml, configures the proxy over its control socket, commits a table in which slot
s belongs to backend s mod n, and keeps a fence record on every backend. Everything lives on addresses
of its own (127.77.x.y to 127.96.x.y), so beds of several tests never meet.
"""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from region import BIN, PATIENCE, wait_for

SLOTS = 16384
MASK = (1 << 64) - 1
USER, PASSWORD = "A1B2C3", "0123456789ABCDEF"
READER, OTHER = "READ01", "OTHER1"


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def hash64(data, seed):
    odd1, odd2 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
    state = fold(seed ^ odd1, len(data) ^ odd2)
    at = 0
    while len(data) - at >= 8:
        state = fold(state ^ int.from_bytes(data[at:at + 8], "little"), odd1)
        at += 8
    state = fold(state ^ int.from_bytes(data[at:], "little"), odd2)
    return fold(state, odd1 ^ len(data))


def slot_of(cache, key):
    return hash64(key, cache) & (SLOTS - 1)


class Client:
    """A blocking socket that knows how to wait for exactly what is expected."""

    def __init__(self, address, port=None):
        """Without a port, `address` is the path of a Unix socket."""
        if port is None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection((address, port), 3 * PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(5 * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def is_read(self):
        """Whether the server has taken everything that was sent out of its receive queue.

        Asks the kernel for this one socket (sock_diag(7)): a list of all takes long when others hold
        a hundred thousand.
        """
        def place(address):
            return socket.inet_aton(address[0]) + bytes(12)
        server, ours = self.socket.getpeername(), self.socket.getsockname()
        wanted = struct.pack("!HH", server[1], ours[1]) + place(server) + place(ours)
        body = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + wanted
        body += bytes(4) + b"\xff" * 8  # any interface, any cookie
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:  # NETLINK_SOCK_DIAG
            netlink.send(struct.pack("=IHHII", 16 + len(body), 20, 1, 0, 0) + body)
            answer = netlink.recv(4096)
        kind, = struct.unpack_from("=H", answer, 4)
        assert kind == 20, "the kernel does not know the server's side of this connection"
        receive_queue, = struct.unpack_from("=I", answer, 16 + 4 + 48 + 4)
        return receive_queue == 0

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError(f"closed after {data!r}")
            data += part
        return data

    def read_until(self, end):
        data = b""
        while not data.endswith(end):
            part = self.socket.recv(1)
            if not part:
                raise ConnectionError(f"closed after {data!r}")
            data += part
        return data

    def line(self):
        return self.read_until(b"\r\n")

    def call(self, data, expected):
        self.send(data)
        got = self.read(len(expected))
        assert got == expected, (data[:80], got[:200], expected[:200])

    def ask(self, data):
        """The next line of the answer."""
        self.send(data)
        return self.line()

    def close(self):
        self.socket.close()

    def get(self, key):
        """The value, or None for a miss."""
        self.send(b"get " + key + b"\r\n")
        head = self.line()
        if head == b"END\r\n":
            return None
        assert head.startswith(b"VALUE "), head
        value = self.read(int(head.split()[3]))
        assert self.read(7) == b"\r\nEND\r\n"
        return value

    def set(self, key, value):
        self.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
        return self.line()

    def is_closed(self, seconds=5):
        self.socket.settimeout(seconds * PATIENCE)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def binary(self, opcode, key=b"", value=b"", extras=b"", cas=0, opaque=7):
        self.send(frame(opcode, key, value, extras, cas, opaque))
        return self.response()

    def response(self):
        head = self.read(24)
        magic, opcode, keys, extras, _, status, body, opaque, cas = struct.unpack("!BBHBBHIIQ", head)
        assert magic == 0x81
        rest = self.read(body)
        return Response(opcode, status, opaque, cas, rest[:extras], rest[extras:extras + keys],
                        rest[extras + keys:])


class Response:
    def __init__(self, opcode, status, opaque, cas, extras, key, value):
        self.opcode, self.status, self.opaque, self.cas = opcode, status, opaque, cas
        self.extras, self.key, self.value = extras, key, value


def frame(opcode, key=b"", value=b"", extras=b"", cas=0, opaque=7):
    return struct.pack("!BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0,
                       len(extras) + len(key) + len(value), opaque, cas) + extras + key + value


def claim_network():
    """A network 127.x.y that no other bed of this machine uses while the returned socket is open."""
    while True:
        network = f"127.{random.randrange(77, 97)}.{random.randrange(1, 251)}"
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((network + ".1", 11210))
            return network, claim
        except OSError:
            claim.close()


class ProxyBed:
    def __init__(self, backends=2, yaml="", caches=(1, 2), fence=True, workers=2,
                 log_level="debug", listen="", unix_backends=False):
        network, self.claim = claim_network()
        self.address = f"{network}.1"
        self.backend_addresses = [f"{network}.{11 + i}" for i in range(backends)]
        self.port, self.open_port, self.metrics_port, self.backend_port = 11211, 11213, 7490, 11214
        self.yaml, self.caches, self.writes_fence = yaml, caches, fence
        self.listen, self.unix_backends = listen, unix_backends
        self.workers, self.log_level = workers, log_level
        self.directory = tempfile.TemporaryDirectory(prefix="mcguard-proxy-")
        self.path = Path(self.directory.name)
        self.generation, self.epoch, self.flushes = 0, 0, 0
        self.since = [0] * SLOTS
        self.owner = [s % backends for s in range(SLOTS)]
        self.process, self.memcached = None, [None] * backends
        self.clients = []

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            undo.push(self)  # what was started when something fails is stopped
            for i in range(len(self.memcached)):
                self.start_backend(i)
            self.write_yaml()
            self.start_proxy()
            self.configure()
            self.commit(self.prepare())
            if self.writes_fence:
                self.write_fence()
                self.wait_unfenced()
            undo.pop_all()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.socket.close()
        for process in [self.process, *self.memcached]:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        self.directory.cleanup()
        self.claim.close()

    # Processes.
    def start_backend(self, i):
        # Root may not run it as itself unless told to, and nobody else may write in our directory.
        root = ["-u", "root" if self.unix_backends else "nobody"] if os.getuid() == 0 else []
        place = (["-s", self.backend_path(i), "-a", "0777"] if self.unix_backends else
                 ["-l", self.backend_addresses[i], "-p", str(self.backend_port), "-U", "0"])
        self.memcached[i] = subprocess.Popen(
            ["memcached", *place, "-m", "64", "-I", "2m", "-t", "2", *root])
        wait_for("memcached listens", lambda: self.try_backend(i), 5)

    def try_backend(self, i):
        try:
            with self.backend(i) as client:
                client.call(b"mn\r\n", b"MN\r\n")
                return True
        except OSError:
            return False

    def stop_backend(self, i):
        """SIGSTOP, and returns when every thread has stopped."""
        pid = self.memcached[i].pid
        self.memcached[i].send_signal(signal.SIGSTOP)
        wait_for("it has stopped", lambda: all(
            (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
            for task in Path(f"/proc/{pid}/task").iterdir()))

    def continue_backend(self, i):
        self.memcached[i].send_signal(signal.SIGCONT)

    def backend(self, i):
        if self.unix_backends:
            return Client(self.backend_path(i))
        return Client(self.backend_addresses[i], self.backend_port)

    def backend_path(self, i):
        return f"{self.path}/b{i}.sock"

    def write_yaml(self):
        (self.path / "proxy.yaml").write_text(f"""
id: test-proxy
cluster: test
listen: {{address: {self.address}, port: {self.port}{self.listen.format(path=self.path)}}}
open: {{port: {self.open_port}, cache: 1}}
metrics: {{address: {self.address}, port: {self.metrics_port}}}
workers: {self.workers}
state_dir: {self.path}/state
control_socket: {self.path}/proxy.sock
agent_socket: {self.path}/agent.sock
telemetry_file: {self.path}/proxy.seg
log: {{level: {self.log_level}, file: {self.path}/proxy.log}}
{self.yaml}
""")

    def start_proxy(self):
        self.process = subprocess.Popen([BIN / "mcguard-proxy", "--config", self.path / "proxy.yaml"])
        wait_for("the proxy answers", self.try_status, 10)

    def try_status(self):
        assert self.process.poll() is None, "the proxy ended: " + self.log()
        try:
            return self.control("status")
        except OSError:
            return None

    def kill_proxy(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        path = self.path / "proxy.log"
        return path.read_text() if path.exists() else ""

    def says(self, text, seconds=5):
        """Waits for it in the log, which is written behind the work."""
        return wait_for(f"the log says {text}", lambda: text in self.log(), seconds)

    # The agent's part.
    def raw_control(self, verb, fence=1, **args):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5 * PATIENCE)
            s.connect(str(self.path / "proxy.sock"))
            s.sendall(json.dumps({"verb": verb, "fence": fence, "args": args}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                part = s.recv(1 << 16)
                if not part:
                    raise ConnectionError("control socket closed")
                data += part
        return json.loads(data)

    def control(self, verb, fence=1, **args):
        answer = self.raw_control(verb, fence, **args)
        assert answer["ok"], answer
        return answer["value"]

    def credential(self, user, cache, password=PASSWORD, write=True, flush=True):
        salt = os.urandom(16)
        verifier = hmac.new(salt, password.encode(), hashlib.sha256).digest()
        return {"user": user, "cache": cache, "salt": salt.hex(), "verifier": verifier.hex(),
                "write": write, "flush": flush, "api": False}

    def configure(self, **more):
        self.generation += 1
        args = {
            "generation": self.generation,
            "flush_sequence": self.flushes,
            "backends": [{"id": f"b{i}", "address": self.backend_path(i)} if self.unix_backends else
                         {"id": f"b{i}", "address": a, "port": self.backend_port}
                         for i, a in enumerate(self.backend_addresses)],
            "caches": [{"id": c, "label": f"c{c}", "generation": 1, "enabled": True,
                        "limit_bytes": 0, "connection_limit": 0,
                        "cas_secret": "%032x" % (c << 64 | 12345)} for c in self.caches],
            "credentials": [self.credential(USER, 1), self.credential(OTHER, 2),
                            self.credential(READER, 1, write=False, flush=False)],
        }
        return self.control("configure", **{**args, **more})

    def table(self, epoch):
        return {"epoch": epoch,
                "backends": [{"id": f"b{i}", "weight": 1} for i in range(len(self.memcached))],
                "owner": base64.b64encode(struct.pack(f"<{SLOTS}H", *self.owner)).decode(),
                "since": base64.b64encode(struct.pack(f"<{SLOTS}I", *self.since)).decode()}

    def prepare(self, owner=None):
        """Prepares the next epoch, in which `owner` (default: as now) holds."""
        self.epoch += 1
        if owner is not None:
            for slot, (old, new) in enumerate(zip(self.owner, owner)):
                if old != new:
                    self.since[slot] = self.epoch
            self.owner = list(owner)
        self.control("epoch.prepare", table=self.table(self.epoch))
        return self.epoch

    def commit(self, epoch):
        self.control("epoch.commit", epoch=epoch)

    def write_fence(self, epoch=None, flushes=None, backends=None):
        record = b"%d %d" % (self.epoch if epoch is None else epoch,
                             self.flushes if flushes is None else flushes)
        for i in range(len(self.memcached)) if backends is None else backends:
            with self.backend(i) as client:
                client.call(b"set !mcguard/fence 0 0 %d\r\n%s\r\n" % (len(record), record),
                            b"STORED\r\n")

    def wait_unfenced(self):
        wait_for("nothing is fenced", lambda: not self.control("status")["fenced_backends"], 5)

    def flush(self, cache, generation, complete=True):
        self.flushes += 1
        answer = self.control("flush", cache=cache, generation=generation, sequence=self.flushes)
        if complete:
            self.complete_flush()
        return answer

    def complete_flush(self):
        return self.control("flush.complete", sequence=self.flushes)

    # Clients.
    def stranger(self):
        client = Client(self.address, self.port)
        self.clients.append(client)
        return client

    def login(self, user=USER, password=PASSWORD):
        client = self.stranger()
        data = password.encode()
        client.call(b"set %s 0 0 %d\r\n%s\r\n" % (user.encode(), len(data), data), b"STORED\r\n")
        return client

    def binary_login(self, user=USER, password=PASSWORD):
        client = self.stranger()
        response = client.binary(0x21, b"PLAIN", b"\0" + user.encode() + b"\0" + password.encode())
        assert response.status == 0, response.status
        return client

    def open_client(self):
        client = Client(self.address, self.open_port)
        self.clients.append(client)
        return client

    def keys(self, backend, count=1, cache=1, prefix=b"key", owner=None):
        """Keys that this backend owns."""
        owner = self.owner if owner is None else owner
        found, i = [], 0
        while len(found) < count:
            key = prefix + b"-%d" % i
            if owner[slot_of(cache, key)] == backend:
                found.append(key)
            i += 1
        return found


class FakeAgent:
    """Answers flush.request on the agent's socket with what `answer(args)` returns."""

    def __init__(self, bed, answer):
        self.answer = answer
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(bed.path / "agent.sock"))
        self.server.listen()
        self.calls = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer_one, args=(connection,), daemon=True).start()

    def answer_one(self, connection):
        with connection:
            request = json.loads(connection.makefile().readline())
            self.calls.append(request)
            reply = self.answer(request["args"])
            if reply is not None:
                connection.sendall(json.dumps(reply).encode() + b"\n")
            else:
                connection.recv(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
