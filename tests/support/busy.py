"""Many clients that are never idle, and newcomers all the time, while a test does something to the proxy.

Each of the many writes to a key of its own and reads it back, so every reply is known beforehand to the
byte: a lost request, a reply of somebody else's and a lost write all show. They differ in how they
speak: one request after another, pipelined, binary, and requests that arrive in two halves.
"""
import collections
import select
import socket
import struct
import threading
import time

from proxy_bed import PASSWORD, USER, Client, frame

LOGIN = b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode())
BINARY_LOGIN = frame(0x21, b"PLAIN", b"\0" + USER.encode() + b"\0" + PASSWORD.encode())
PLAIN, PIPELINED, BINARY, HALVES = range(4)
AT_ONCE = 100  # that connect and say who they are
PATIENCE = 30  # seconds, of a newcomer whom a slow machine keeps waiting; only one who is lost fails


def without_cas(responses):
    """Binary responses, with the field that nobody can know beforehand set to zero."""
    at, out = 0, b""
    while at + 24 <= len(responses):
        end = at + 24 + struct.unpack("!I", responses[at + 8:at + 12])[0]
        out += responses[at:at + 16] + bytes(8) + responses[at + 24:end]
        at = end
    return out


def reply(opcode, extras=b"", value=b"", opaque=0):
    return struct.pack("!BBHBBHIIQ", 0x81, opcode, 0, len(extras), 0, 0, len(extras) + len(value),
                       opaque, 0) + extras + value


class One:
    def __init__(self, number, address):
        self.number, self.kind, self.turn = number, number % 4, 0
        self.key = b"busy-%d" % number
        self.wrong = None
        self.rest = b""  # of a request that is sent in two halves
        self.socket = socket.create_connection(address, 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(5)
        self.socket.sendall(BINARY_LOGIN if self.kind == BINARY else LOGIN)

    def await_welcome(self):
        welcome = self.socket.recv(100)
        is_binary = self.kind == BINARY
        expected = reply(0x21, value=b"Authenticated", opaque=7) if is_binary else b"STORED\r\n"
        assert welcome == expected, welcome
        self.socket.setblocking(False)

    def begin(self):
        """Sends the next requests; their number."""
        self.turn += 1
        value = b"%d:%d" % (self.number, self.turn)
        self.got = b""
        if self.kind == BINARY:
            flags = bytes(4)
            request = (frame(0x01, self.key, value, bytes(8), opaque=self.turn) +
                       frame(0x00, self.key, opaque=self.turn))
            self.expected = (reply(0x01, opaque=self.turn) +
                             reply(0x00, flags, value, opaque=self.turn))
        else:
            request = b"set %s 0 0 %d\r\n%s\r\n" % (self.key, len(value), value)
            self.expected = b"STORED\r\n"
            if self.kind != PLAIN or self.turn % 2 == 0:
                request += b"get %s\r\n" % self.key
                self.expected += b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (self.key, len(value), value)
        if self.kind == HALVES:
            cut = self.turn % len(request)
            request, self.rest = request[:cut], request[cut:]
        self.socket.send(request)

    def send_rest(self):
        rest, self.rest = self.rest, b""
        self.socket.send(rest)

    def receive(self):
        """Whether everything has been answered."""
        part = self.socket.recv(4096)
        if not part:
            raise ConnectionError("closed by the proxy")
        self.got += part
        if len(self.got) < len(self.expected):
            return False
        got = without_cas(self.got) if self.kind == BINARY else self.got
        if got != self.expected:
            raise ValueError(f"{got!r} instead of {self.expected!r}")
        return True


class BusyClients:
    """`with BusyClients(bed, 1000) as busy:` opens them; they work while run_until() runs.

    All take turns, `at_once` of them have requests under way at any time.
    """

    def __init__(self, bed, count, at_once):
        self.address = (bed.address, bed.port)
        self.count, self.at_once = count, at_once
        self.clients, self.failures = {}, []
        self.answered = 0
        self.slowest = 0.0  # seconds from request to reply

    def __enter__(self):
        self.poll = select.epoll()
        try:
            for first in range(0, self.count, AT_ONCE):
                come = [One(n, self.address) for n in range(first, min(first + AT_ONCE, self.count))]
                self.clients |= {one.socket.fileno(): one for one in come}
                for one in come:
                    one.await_welcome()
                    self.poll.register(one.socket.fileno(), select.EPOLLIN)
        except BaseException:
            self.__exit__()
            raise
        self.waiting = collections.deque(self.clients)
        return self

    def __exit__(self, *_):
        self.poll.close()
        for one in self.clients.values():
            one.socket.close()

    def begin(self, one):
        one.begun = time.monotonic()
        self.under_way.add(one.socket.fileno())
        one.begin()
        if one.rest:
            self.halves.append(one)

    def run_until(self, done, seconds=30):
        """Works until done(), then until everything begun is answered, or it is too late."""
        self.halves, self.under_way = [], set()
        deadline = time.monotonic() + seconds
        stopping = False
        while time.monotonic() < deadline and not (stopping and not self.under_way):
            stopping = stopping or done()
            while self.waiting and len(self.under_way) < self.at_once and not stopping:
                self.guarded(self.waiting.popleft(), self.begin)
            halves, self.halves = self.halves, []
            for one in halves:
                self.guarded(one.socket.fileno(), One.send_rest)
            for number, _ in self.poll.poll(0.05, 512):
                if self.guarded(number, One.receive):
                    self.answered += 1
                    self.slowest = max(self.slowest, time.monotonic() - self.clients[number].begun)
                    self.under_way.discard(number)
                    self.waiting.append(number)
        self.failures += [(self.clients[n].number, "no answer") for n in self.under_way]
        assert stopping, "what was waited for did not happen in time"

    def guarded(self, number, act):
        one = self.clients.get(number)
        try:
            return one is not None and act(one)
        except (OSError, ValueError) as error:
            self.failures.append((one.number, str(error)))
            self.poll.unregister(number)
            self.under_way.discard(number)
            one.socket.close()
            del self.clients[number]
            return False


class Newcomers:
    """Connects, says who it is, asks, leaves, and again, until the block ends."""

    def __init__(self, bed):
        self.address = (bed.address, bed.port)
        self.stop = threading.Event()
        self.failures, self.served, self.slowest = [], 0, 0.0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)

    def run(self):
        while not self.stop.is_set():
            begun = time.monotonic()
            try:
                with Client(*self.address) as client:
                    client.socket.settimeout(PATIENCE)
                    client.call(LOGIN, b"STORED\r\n")
                    client.call(b"get nobody\r\n", b"END\r\n")
                self.served += 1
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - begun)
