"""The same bytes to memcached and to the proxy: the same bytes back, wherever they are split.

Each case is a stream of the text protocol with {k}, {l}, {m} for keys of its own and {b} for one in
base64. It ends with `mn`, whose MN shows whether the connection was still followed, and with the end
of the client's stream. Only cas tokens may differ: they are compared by what they do.
"""
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import Client, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402

CLASSIC = [
    "get {k}", "gets {k}", "get {k} {l} {m}", "get", "gets", "gat", "gat 10", "gats 10 {k}",
    "set {k} 5 0 3|abc;get {k};get {k} {l} {k}", "set {k} 5 0 3|abc;gat 100 {k};gat 0 {k} {l}",
    "set {k} 0 0 0|;get {k}", "set {k} 4294967295 0 1|x;get {k}", "set {k} 4294967296 0 1|x",
    "set {k} -1 0 1|x", "set {k} 0 -1 1|x;get {k}", "set {k} 0 0 3 noreply|abc;get {k}",
    "set {k} 0 0 3 nonsense|abc;get {k}", "set {k} 0 0|", "set {k} a 0 1", "set {k} 0 b 1",
    "set {k} 0 0 c", "set {k} 0 0 -1", "set {k} 0 0 2|abc;mn", "set {k} 0 0 4|abc",
    "add {k} 0 0 1|x;add {k} 0 0 1|y;get {k}", "replace {k} 0 0 1|x;set {k} 0 0 1|x;replace {k} 1 0 1|y;get {k}",
    "append {k} 0 0 1|x;set {k} 7 0 1|b;append {k} 0 0 1|c;prepend {k} 0 0 1|a;get {k}",
    "cas {k} 0 0 1 1|x", "set {k} 0 0 1|x;gets {k}", "cas {k} 0 0 1 abc|x", "cas {k} 0 0 1",
    "set {k} 0 0 2|10;incr {k} 5;decr {k} 20;incr {k} 18446744073709551615;get {k}",
    "incr {k} 1", "decr {k} 1", "incr {k}", "incr {k} abc", "incr {k} -1", "set {k} 0 0 1|x;incr {k} 1",
    "set {k} 0 0 2|10;decr {k} 1;get {k}", "set {k} 0 0 1|5;incr {k} 1 noreply;get {k}",
    "delete {k}", "set {k} 0 0 1|x;delete {k};get {k}", "delete {k} 0", "delete {k} 1", "delete",
    "delete {k} 0 noreply", "set {k} 0 0 1|x;delete {k} noreply;get {k}",
    "touch {k} 10", "set {k} 0 0 1|x;touch {k} 10;touch {k} 0 noreply;get {k}", "touch {k}", "touch {k} abc",
    "verbosity 1", "verbosity", "verbosity 1 noreply", "nonsense", "", " get {k}", "get  {k}  {l} ", "GET {k}",
    "mn;mn;mn", "get " + "x" * 251, "set " + "x" * 251 + " 0 0 1|a;mn", "get " + "x" * 250,
]
META = [
    "mg {k}", "mg {k} v", "mg {k} v q", "mg {k} q;mn", "mg", "mg {k} s v f t", "mg {k} v v", "mg {k} !", "mg {k} Oabc v",
    "ms {k} 3|abc;mg {k} v;mg {k} f v t s k O12", "ms {k} 3 T0 F5|abc;mg {k} f t v", "ms {k} S3|abc;mn",
    "ms {k} 3 q|abc;mg {k} v k q", "ms {k} 3 k O1|abc", "ms {k} 3 k q O1|abc;mn", "ms {k} abc", "ms {k}", "ms",
    "ms {k} 2 T30|hi;mg {k} t v;mg {k} T90 t v;mg {k} t", "ms {k} 2 ME|hi;ms {k} 2 ME|ho;ms {k} 2 ME q|ho;mg {k} v",
    "ms {k} 2 MR|hi;ms {k} 2|hi;ms {k} 2 MR|ho;mg {k} v", "ms {k} 1 MA|b;ms {k} 1|b;ms {k} 1 MA|c;ms {k} 1 MP|a;mg {k} v",
    "ms {k} 1 MX|b;mn", "ms {k} 1 Mset|b;mg {k} v", "ms {k} 2 I C1|hi", "ms {k} 1 F4294967296|a;mn", "ms {k} 1 Tx|a;mn",
    "md {k}", "md {k} q", "ms {k} 1|a;md {k};mg {k} v", "ms {k} 1|a;md {k} q k;mg {k} v", "md {k} k O7", "md",
    "ms {k} 1|a;md {k} C1", "ms {k} 1|a;md {k} I T30;mg {k} v t;mg {k} v", "ms {k} 1|a;md {k} C0;mg {k} v",
    "ma {k}", "ma {k} q", "ma {k} N0", "ma {k} N0 J13 v t;ma {k} v;ma {k} MD D3 v", "ms {k} 1|5;ma {k} v;ma {k} D10 v k O9",
    "ms {k} 1|5;ma {k} q;mg {k} v", "ms {k} 1|x;ma {k}", "ms {k} 1|5;ma {k} Dabc;mn", "ma {k} MX", "ma", "ms {k} 1|5;ma {k} MI v;ma {k} M- v;ma {k} M+ v",
    "mg {k} N30 v;mg {k} N30 v t;ms {k} 1|a;mg {k} v", "ms {k} 1 T10|a;mg {k} R30 v;mg {k} R30 v",
    "ms {k} 1|a;mg {k} h l t;mg {k} v h;mg {k} h", "me", "me {k}", "mg {k} v P/path Lhint", "ms {k} 1 P1 L2|a;mg {k} v",
    "ms {b} 3 b|abc;mg {b} b v k;mg {b} b k O5;md {b} b k;mg {b} b v", "mg !!! b v", "ms !!! 1 b|a;mn", "mg {k} b v;mn",
    "mg " + "x" * 251 + " v", "mz {k}", "ms {k} 1 noreply|a;mn", "mg {k} v k O" + "z" * 33,
]


class Direct:
    def __init__(self, network):
        self.address = network.rsplit(".", 1)[0] + ".41"
        root = ["-u", "nobody"] if os.getuid() == 0 else []
        self.process = subprocess.Popen(["memcached", "-l", self.address, "-p", "11214", "-U", "0",
                                         "-m", "64", "-t", "1", *root])
        wait_for("memcached listens", self.listens, 5)

    def listens(self):
        try:
            Client(self.address, 11214).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def servers():
    with ProxyBed() as bed:
        direct = Direct(bed.address)
        try:
            yield (direct.address, 11214), (bed.address, bed.open_port)
        finally:
            direct.close()


def stream(case, number):
    """The case's bytes; `;` separates commands and `|` a command from its data."""
    names = {"k": f"k{number:06}", "l": f"l{number:06}", "m": f"m{number:06}", "b": "Zm9v" + f"{number:08}"}
    parts = []
    for command in case.split(";"):
        line, bar, data = command.partition("|")
        line = re.sub(r"\{([klmb])\}", lambda m: names[m[1]], line)
        parts.append(line + "\r\n" + (data + "\r\n" if bar else ""))
    return "".join(parts).encode() + b"mn\r\n"


def converse(server, pieces):
    """Everything that comes back when this, and then the end of the stream, was sent."""
    with socket.create_connection(server, timeout=5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = b""
        try:
            for piece in pieces:
                s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
            while part := s.recv(65536):
                got += part
        except ConnectionError:
            got += b"<reset>"
        return got


def without_cas(data):
    """Tokens are compared by what they do, not by their value: gets' fourth number, and c… flags."""
    data = re.sub(rb"(VALUE \S+ \d+ \d+) \d+", rb"\1 CAS", data)
    return re.sub(rb" c\d+", b" cCAS", data)


def compare(servers, case, number, pieces_of):
    data = stream(case, number)
    direct, proxied = (converse(server, pieces_of(data)) for server in servers)
    assert without_cas(proxied) == without_cas(direct), (case, data)


@pytest.mark.parametrize("case", CLASSIC + META)
def test_the_reply_is_memcacheds(servers, case):
    number = (CLASSIC + META).index(case) * 1000
    compare(servers, case, number, lambda data: [data])


@pytest.mark.parametrize("case", [c for c in CLASSIC + META if len(c) < 200])
def test_wherever_it_is_split(servers, case):
    number = (CLASSIC + META).index(case) * 1000 + 500
    for at in range(1, len(stream(case, number))):
        compare(servers, case, number + at, lambda data, at=at: [data[:at], data[at:]])


def test_byte_by_byte(servers):
    for number, case in enumerate(CLASSIC + META):
        if len(case) < 200:
            compare(servers, case, 900_000 + number, lambda data: [data[i:i + 1] for i in range(len(data))])


def test_cas_tokens_do_what_memcacheds_do(servers):
    for address, port in servers:
        with Client(address, port) as c:
            token = int(re.match(rb"HD c(\d+)\r\n$", c.ask(b"ms cas1 1 c\r\na\r\n"))[1])
            assert int(re.match(rb"HD c(\d+)\r\n$", c.ask(b"mg cas1 c\r\n"))[1]) == token
            assert int(c.ask(b"gets cas1\r\n").split()[4]) == token
            c.line(), c.line()
            assert c.ask(b"ms cas1 1 C%d\r\nb\r\n" % (token + 1)) == b"EX\r\n"
            assert c.ask(b"ms cas1 1 C%d\r\nb\r\n" % token) == b"HD\r\n"
            assert c.ask(b"ms cas1 1 C%d\r\nb\r\n" % token) == b"EX\r\n"
            assert c.ask(b"md cas1 C%d\r\n" % token) == b"EX\r\n"
            assert c.ask(b"md cas1 C%d\r\n" % int(c.ask(b"mg cas1 c\r\n")[4:])) == b"HD\r\n"
            assert c.ask(b"mg cas1 v\r\n") == b"EN\r\n"
