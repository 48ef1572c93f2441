"""What a test needs to compare the proxy's answers with those of a memcached that it asks directly."""
import contextlib
import os
import re
import socket
import subprocess

from proxy_bed import Client
from region import wait_for


class Direct:
    """A memcached of its own, on an address of the bed's network."""

    def __init__(self, network):
        self.address = network.rsplit(".", 1)[0] + ".41"
        self.place = (self.address, 11214)
        root = ["-u", "nobody"] if os.getuid() == 0 else []
        self.process = subprocess.Popen(["memcached", "-l", self.address, "-p", "11214", "-U", "0",
                                         "-m", "64", "-t", "1", *root])
        wait_for("memcached listens", self.listens, 5)

    def listens(self):
        try:
            Client(*self.place).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def converse(server, pieces):
    """Everything that comes back when this, and then the end of the stream, was sent. Who closes before
    the end may do so by a reset: what it had answered is read all the same."""
    with socket.create_connection(server, timeout=5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # closed, or no longer connected
            for piece in pieces:
                s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionError):
            while part := s.recv(65536):
                got += part
        return got


def text_stream(case, number):
    """The bytes of a case of text_cases.py, with keys of its own, and mn behind it."""
    names = {"k": f"k{number:07}", "l": f"l{number:07}", "m": f"m{number:07}", "b": "Zm9v" + f"{number:08}"}
    parts = []
    for command in case.split(";"):
        line, bar, data = command.partition("|")
        line = re.sub(r"\{([klmb])\}", lambda m: names[m[1]], line)
        parts.append(line + "\r\n" + (data + "\r\n" if bar else ""))
    return "".join(parts).encode() + b"mn\r\n"


def text_shown(data):
    """What is compared of an answer: tokens by what they do, not by their value; the version without
    our name. gets' fourth number, c… flags, cas= of me."""
    data = re.sub(rb"(VALUE \S+ \d+ \d+) \d+", rb"\1 CAS", data)
    data = re.sub(rb" c\d+", b" cCAS", data)
    data = re.sub(rb" cas=\d+", b" cas=CAS", data)
    return data.replace(b"VERSION 1.6.18-mcguard\r\n", b"VERSION 1.6.18\r\n")


def frames_shown(data):
    """The same for frames: a token is there or is none."""
    shown = b""
    while len(data) >= 24 and data[0] == 0x81:
        end = 24 + int.from_bytes(data[8:12], "big")
        cas = b"CAS" if any(data[16:24]) else b"NONE"
        if data[1] == 0x0b:  # a version, whose length differs with our name in it
            shown += data[:8] + data[12:16] + cas + data[24:end].replace(b"1.6.18-mcguard", b"1.6.18")
        else:
            shown += data[:16] + cas + data[24:end]
        data = data[end:]
    return shown + data


def split_once(data):
    """Every way to send this in two pieces."""
    return ([data[:at], data[at:]] for at in range(1, len(data)))


def split_wholly(data):
    return [data[i:i + 1] for i in range(len(data))]
