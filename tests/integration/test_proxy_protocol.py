"""What a balancer says about its clients: the PROXY protocol before plain and TLS connections."""
import socket
import ssl
import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import PASSWORD, USER, Client  # noqa: E402
from region import wait_for  # noqa: E402
from test_tls import TLS_PORT, TlsBed, TlsClient, make_certificate  # noqa: E402

LOGIN = b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode())
REAL = "192.0.2.7"
TEXT = b"PROXY TCP4 %s 127.0.0.1 4000 11211\r\n" % REAL.encode()
BINARY = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12 + 6) + socket.inet_aton(REAL)
          + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4000, 11211) + b"\x04\0\x03abc")
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


@pytest.fixture(scope="module", name="bed")
def make_bed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder, "one", "one.test")
    with TlsBed(folder, backends=1, workers=1, yaml="""
proxy_protocol: {from: [127.0.0.1]}
limits: {connections_per_client: 2}
timeouts: {authenticate: 1s}
""") as shared:
        yield shared


def connect(bed, port=None, source="127.0.0.1"):
    """A Client whose packets come from `source`."""
    client = Client.__new__(Client)
    client.socket = socket.create_connection((bed.address, port or bed.port), 3, (source, 0))
    client.socket.settimeout(5)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bed.clients.append(client)
    return client


@pytest.mark.parametrize("header", [TEXT, BINARY, LOCAL, b"PROXY UNKNOWN\r\n"])
def test_a_header_in_one_piece_with_commands_behind_it(bed, header):
    with connect(bed) as client:
        client.call(header + LOGIN + b"mn\r\n", b"STORED\r\nMN\r\n")


@pytest.mark.parametrize("header", [TEXT, BINARY])
def test_a_header_byte_by_byte(bed, header):
    with connect(bed) as client:
        for byte in header + LOGIN:
            client.send(bytes([byte]))
        assert client.line() == b"STORED\r\n"


def test_the_real_address_is_what_is_limited(bed):
    held = []
    for _ in range(2):
        held.append(connect(bed))
        held[-1].call(TEXT + LOGIN, b"STORED\r\n")
    third = connect(bed)
    third.send(TEXT)
    assert third.line() == b"SERVER_ERROR too many open connections\r\n"
    # Another client of the same balancer is not concerned, however many there are.
    for i in range(4):
        other = connect(bed)
        other.call(TEXT.replace(REAL.encode(), b"192.0.2.%d" % (100 + i)) + LOGIN, b"STORED\r\n")
        held.append(other)
    for client in held:
        client.close()


def test_before_tls(bed):
    for header in (TEXT, BINARY):
        raw = socket.create_connection((bed.address, TLS_PORT), 3, ("127.0.0.1", 0))
        raw.settimeout(5)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(bed.folder / "one.pem")
        raw.sendall(header)
        with TlsClient(raw, context, "one.test") as client:
            client.call(LOGIN, b"STORED\r\n")


def test_what_is_malformed_or_late_is_closed_and_counted(bed):
    counter = 'mcguard_proxy_errors_total{reason="proxy_header"}'
    before = bed.metric(counter)
    for header in (LOGIN, TEXT[:-2] + b"\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", b""):
        with connect(bed) as client:
            client.send(header)
            assert client.is_closed(5)  # the empty one at the deadline
    wait_for("all are counted", lambda: bed.metric(counter) == before + 4, 5)


def test_others_are_not_asked_for_a_header_and_not_believed(bed):
    with connect(bed, source="127.0.0.2") as client:
        client.call(LOGIN, b"STORED\r\n")
    with connect(bed, source="127.0.0.2") as client:
        client.send(TEXT)
        assert client.line() != b""
