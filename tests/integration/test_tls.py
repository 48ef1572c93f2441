"""TLS on a port of its own: real sockets, certificates made here."""
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import BIN, PASSWORD, USER, Client, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402

LOGIN = b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode())
TLS_PORT = 11212


def make_certificate(folder, name, host, signer=None):
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    more = ["-CA", folder / f"{signer}.pem", "-CAkey", folder / f"{signer}.key"] if signer else []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", certificate,
                    *more], check=True, capture_output=True)
    return certificate


class TlsClient(Client):
    def __init__(self, raw, context, name=None, session=None):
        self.raw = raw
        self.socket = context.wrap_socket(raw, server_hostname=name, session=session)
        self.socket.settimeout(5)


class TlsBed(ProxyBed):
    def __init__(self, folder, more="", **options):
        self.folder = folder
        super().__init__(yaml=f"tls: {{port: {TLS_PORT}, certificate: {folder}/one.pem, "
                              f"key: {folder}/one.key{more}}}\n" + options.pop("yaml", ""), **options)

    def connect(self, version=None, name="one.test", session=None, own=None, trusted="one"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / f"{trusted}.pem")
        if version:
            context.minimum_version = context.maximum_version = version
        if own:
            context.load_cert_chain(self.folder / f"{own}.pem", self.folder / f"{own}.key")
        return self.wrap(context, name, session)

    def wrap(self, context, name, session=None):
        raw = socket.create_connection((self.address, TLS_PORT), 3)
        raw.settimeout(5)
        client = TlsClient(raw, context, name, session)
        self.clients.append(client)
        return client

    def tls_login(self, **how):
        client = self.connect(**how)
        client.call(LOGIN, b"STORED\r\n")
        return client

    def metric(self, name):
        text = urllib.request.urlopen(f"http://{self.address}:{self.metrics_port}/metrics",
                                      timeout=5).read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found.group(1)) if found else None

    def failures(self, reason):
        return self.metric(f'mcguard_proxy_tls_failures_total{{reason="{reason}"}}')


@pytest.fixture(scope="module", name="folder")
def make_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder, "one", "one.test")
    make_certificate(folder, "two", "two.test")
    make_certificate(folder, "ca", "clients.test")
    make_certificate(folder, "member", "member.test", "ca")
    make_certificate(folder, "stranger", "stranger.test")
    return folder


@pytest.fixture(scope="module", name="bed")
def make_bed(folder):
    more = f", more_certificates: [{{certificate: {folder}/two.pem, key: {folder}/two.key}}]"
    with TlsBed(folder, more) as shared:
        yield shared


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_commands_work_as_on_the_plain_port(bed, version):
    client = bed.tls_login(version=version)
    value = os.urandom(900_000)
    assert client.set(b"big", value) == b"STORED\r\n"
    assert client.get(b"big") == value
    assert client.get(b"nothing") is None
    client.send(b"quit\r\n")
    assert client.is_closed()


def test_a_long_pipeline_is_answered_whole_and_in_order(bed):
    """More than one record, and more than the proxy reads at a time: nothing may stay in OpenSSL."""
    client = bed.tls_login()
    client.set(b"p", b"x" * 100)
    one = b"VALUE p 0 100\r\n" + b"x" * 100 + b"\r\nEND\r\n"
    for count in (1, 3000, 40000):
        sender = b"get p\r\n" * count
        sent = 0
        client.socket.setblocking(False)
        seen = bytearray()

        def step():
            nonlocal sent
            try:
                while sent < len(sender):
                    sent += client.socket.send(sender[sent:sent + 16000])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            try:
                while True:
                    part = client.socket.recv(1 << 16)
                    assert part, "closed"
                    seen.extend(part)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            return len(seen) >= len(one) * count
        wait_for("all is answered", step, 30, 0.001)
        assert bytes(seen) == one * count
        client.socket.settimeout(5)


def test_commands_split_over_records_are_understood(bed):
    client = bed.tls_login()
    for byte in b"set split 0 0 5\r\nhello\r\n":
        client.send(bytes([byte]))
    assert client.line() == b"STORED\r\n"
    assert client.get(b"split") == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_on_any_worker(bed, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bed.folder / "one.pem")
    context.minimum_version = context.maximum_version = version
    first = bed.wrap(context, "one.test")
    first.call(LOGIN, b"STORED\r\n")
    before = bed.metric("mcguard_proxy_tls_resumed_handshakes_total")
    session = first.socket.session
    for _ in range(6):
        client = bed.wrap(context, "one.test", session)
        client.call(LOGIN, b"STORED\r\n")
        assert client.socket.session_reused
    count = bed.log().count("config_reloaded")
    bed.process.send_signal(signal.SIGHUP)  # ticket keys outlive a reload
    wait_for("it has reloaded", lambda: bed.log().count("config_reloaded") > count, 5)
    again = bed.wrap(context, "one.test", session)
    again.call(LOGIN, b"STORED\r\n")
    assert again.socket.session_reused
    assert bed.metric("mcguard_proxy_tls_resumed_handshakes_total") == before + 7


def test_the_certificate_follows_the_name_that_is_asked_for(bed):
    for name in ("one", "two"):
        bed.tls_login(name=f"{name}.test", trusted=name)
    with pytest.raises(ssl.SSLCertVerificationError):
        bed.connect(name="two.test", trusted="one")
    wait_for("the client's refusal is counted", lambda: bed.failures("peer_refused"), 5)


def test_plain_text_on_the_tls_port_is_refused_and_counted(bed):
    before = bed.failures("plain_text")
    for greeting in (LOGIN, b"GET / HTTP/1.0\r\n\r\n"):
        with Client(bed.address, TLS_PORT) as client:
            client.send(greeting)
            wait_for("it is closed", client.is_closed, 5)
    assert bed.failures("plain_text") == before + 2
    assert bed.says("tls_failed") and bed.says("plain_text")


def test_an_old_version_is_refused_and_counted(folder):
    with TlsBed(folder, ", min_version: '1.3'", backends=1) as bed:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            bed.connect(version=ssl.TLSVersion.TLSv1_2)
        wait_for("it is counted", lambda: bed.failures("version") == 1, 5)
        bed.tls_login(version=ssl.TLSVersion.TLSv1_3)


def test_a_handshake_has_a_deadline(folder):
    with TlsBed(folder, backends=1, yaml="timeouts: {authenticate: 300ms}") as bed:
        with Client(bed.address, TLS_PORT) as silent:
            assert silent.is_closed(5)
        wait_for("it is counted", lambda: bed.failures("timeout") == 1, 5)


def test_a_client_that_leaves_in_the_handshake_is_no_timeout(bed):
    def left():  # in the handshake, or while it waited for one
        return bed.failures("closed") + bed.metric('mcguard_proxy_errors_total{reason="client_vanished"}')
    closed, late = left(), bed.failures("timeout")
    for how in (b"", b"\x16\x03\x01"):  # nothing, and the beginning of a record
        for reset in (False, True):
            with Client(bed.address, TLS_PORT) as client:
                client.send(how)
                if reset:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                             struct.pack("ii", 1, 0))
    # One that is reset before it was accepted never was a connection.
    wait_for("they are counted", lambda: left() >= closed + 2, 5)
    assert bed.failures("timeout") == late


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates_are_a_gate_and_no_login(folder, version):
    with TlsBed(folder, f", client_ca: {folder}/ca.pem", backends=1) as bed:
        client = bed.connect(version=version, own="member")
        assert client.ask(b"get a\r\n") == b"CLIENT_ERROR unauthenticated\r\n"
        client.call(LOGIN, b"STORED\r\n")
        for own in (None, "stranger"):
            with pytest.raises((ssl.SSLError, ConnectionError)):  # in 1.3 heard with the first read
                bed.tls_login(version=version, own=own)
        wait_for("both are counted", lambda: bed.failures("client_certificate") == 2, 5)


def test_certificates_are_renewed_without_dropping_connections(tmp_path):
    make_certificate(tmp_path, "one", "one.test")
    with TlsBed(tmp_path, backends=1) as bed:
        old = bed.tls_login()
        expiry = ('mcguard_proxy_tls_certificate_not_after_timestamp_seconds'
                  f'{{file="{tmp_path}/one.pem"}}')
        assert bed.metric(expiry) > 1e9
        serial = old.socket.getpeercert()["serialNumber"]
        good = (tmp_path / "one.key").read_bytes()
        (tmp_path / "one.key").write_bytes(b"no key")
        bed.process.send_signal(signal.SIGHUP)
        wait_for("it says why not", lambda: f"{tmp_path}/one.key" in bed.log(), 5)
        assert bed.says("config_not_reloaded")
        assert bed.tls_login().socket.getpeercert()["serialNumber"] == serial
        (tmp_path / "one.key").write_bytes(good)
        make_certificate(tmp_path, "one", "one.test")
        bed.process.send_signal(signal.SIGHUP)
        wait_for("it has reloaded", lambda: "config_reloaded" in bed.log(), 5)
        new = bed.tls_login()  # trusts the new one only
        assert new.socket.getpeercert()["serialNumber"] != serial
        assert old.get(b"nothing") is None  # the old connection lives


def check(bed):
    """Status and complaints of --check, of the bed's own configuration."""
    done = subprocess.run([BIN / "mcguard-proxy", "--check", "--config", bed.path / "proxy.yaml"],
                          capture_output=True, text=True, timeout=10, check=False)
    return done.returncode, done.stderr


def reload(bed):
    """Whether the configuration was taken."""
    count = bed.log().count("reloaded")
    bed.process.send_signal(signal.SIGHUP)
    wait_for("it has tried", lambda: bed.log().count("reloaded") > count, 5)
    return bed.metric("mcguard_proxy_config_last_reload_successful") == 1


BROKEN = {
    "missing": lambda folder: (folder / "one.pem").unlink(),
    "unparsable": lambda folder: (folder / "one.pem").write_text("no certificate\n"),
    "key missing": lambda folder: (folder / "one.key").unlink(),
    "another key": lambda folder: (folder / "two.key").replace(folder / "one.key"),
    "key of another kind": lambda folder: subprocess.run(
        ["openssl", "genrsa", "-out", folder / "one.key", "2048"], check=True, capture_output=True),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_closes_the_tls_port_only_until_a_reload(tmp_path, how):
    for name in ("one", "two"):
        make_certificate(tmp_path, name, f"{name}.test")
    good = {name: (tmp_path / name).read_bytes() for name in ("one.pem", "one.key")}
    BROKEN[how](tmp_path)
    with TlsBed(tmp_path, backends=1) as bed:
        key, file = ("key", "one.key") if "key" in how else ("certificate", "one.pem")
        plain = bed.login()
        assert plain.set(b"a", b"plain") == b"STORED\r\n"
        with pytest.raises(ConnectionRefusedError):
            Client(bed.address, TLS_PORT)
        okay = f'mcguard_proxy_tls_certificate_ok{{file="{tmp_path}/one.pem"}}'
        assert bed.metric(okay) == 0
        complaint = rf'proxy.yaml:\d+:\d+: tls.{key}: got "{tmp_path}/{file}", expected .*: '
        # A line of the log has room for the beginning of it, when paths are as long as here.
        assert bed.says("tls_not_opened") and bed.says(f": tls.{key}: got")
        status, said = check(bed)
        assert status == 2 and re.search(complaint, said), said
        assert not reload(bed), "still broken"
        for name, content in good.items():
            (tmp_path / name).write_bytes(content)
        assert check(bed) == (0, "")
        assert reload(bed)
        for _ in range(8):  # on whichever worker
            assert bed.tls_login().get(b"a") == b"plain"
        assert bed.metric(okay) == 1
        assert plain.get(b"a") == b"plain", "the old connection lives"


def test_a_successor_that_cannot_serve_tls_leaves_everything_to_who_can(tmp_path):
    make_certificate(tmp_path, "one", "one.test")
    with TlsBed(tmp_path, backends=1) as bed:
        plain, by_tls = bed.login(), bed.tls_login()
        assert plain.set(b"a", b"kept") == b"STORED\r\n"
        (tmp_path / "one.key").write_text("no key\n")
        successor = subprocess.run([BIN / "mcguard-proxy", "--config", bed.path / "proxy.yaml",
                                    "--take-over", bed.path / "proxy.sock"],
                                   capture_output=True, text=True, timeout=30, check=False)
        assert successor.returncode != 0 and "tls.key: got" in successor.stderr
        wait_for("the hand-over has been given up", lambda: not bed.control("status")["handing_over"])
        assert bed.control("status")["pid"] == bed.process.pid and bed.process.poll() is None
        for client in (plain, by_tls, bed.login(), bed.tls_login()):
            assert client.get(b"a") == b"kept"


def test_every_broken_file_is_named_at_once(tmp_path):
    for name in ("one", "two"):
        make_certificate(tmp_path, name, f"{name}.test")
    more = (f", more_certificates: [{{certificate: {tmp_path}/two.pem, key: {tmp_path}/two.key}}], "
            f"client_ca: {tmp_path}/none.pem")
    with TlsBed(tmp_path, more, backends=1) as bed:
        status, said = check(bed)
        assert (status, said.count("tls.client_ca")) == (2, 1), said
        for key in (tmp_path / "one.key", tmp_path / "two.key"):
            key.unlink()
        said = check(bed)[1]
        assert "tls.key" in said and "tls.more_certificates[0].key" in said, said


def expire(folder, name, host):
    """A certificate for the key that is there, which was valid for a day in 2020."""
    config = folder / "ca.conf"
    (folder / "index").write_text("")
    config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\n"
                      f"new_certs_dir={folder}\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
                      "[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "req", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN={host}",
                    "-out", folder / "request"], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-config", config, "-selfsign", "-rand_serial", "-keyfile",
                    folder / f"{name}.key", "-in", folder / "request", "-out", folder / f"{name}.pem",
                    "-notext", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"],
                   check=True, capture_output=True)


def test_an_expired_certificate_is_served_and_never_replaces_a_valid_one(tmp_path):
    make_certificate(tmp_path, "one", "one.test")
    valid = (tmp_path / "one.pem").read_bytes()
    expire(tmp_path, "one", "one.test")
    okay = f'mcguard_proxy_tls_certificate_ok{{file="{tmp_path}/one.pem"}}'
    with TlsBed(tmp_path, backends=1) as bed:
        assert bed.says("tls_certificate_not_valid")
        assert bed.metric(okay) == 0
        careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
        bed.wrap(careless, None).call(LOGIN, b"STORED\r\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            bed.connect()
        status, said = check(bed)
        assert status == 2 and "a certificate that is valid now: it expired 2020-01-02T00:00:00Z" in said, said
        assert reload(bed), "no worse than what is in use"
        (tmp_path / "one.pem").write_bytes(valid)
        assert reload(bed)
        assert bed.metric(okay) == 1
        expire(tmp_path, "one", "one.test")
        assert not reload(bed)
        (tmp_path / "one.pem").write_bytes(valid)  # what the client trusts
        bed.tls_login()


def test_the_load_generator_speaks_tls(bed):
    (bed.path / "password").write_text(PASSWORD + "\n")
    before = bed.metric("mcguard_proxy_tls_handshakes_total")
    done = subprocess.run(
        [BIN / "mcguard", "bench", "--tls", "--server", f"{bed.address}:{TLS_PORT}", "--user", USER,
         "--password-file", bed.path / "password", "--connections", "4", "--depth", "16", "--keys",
         "200", "--value-bytes", "5000", "--warmup", "100ms", "--duration", "300ms", "-o", "json"],
        capture_output=True, timeout=30, check=True)
    report = json.loads(done.stdout)
    assert report["errors"] == 0 and report["requests"] > 0, report
    # A reply on its way when the measured time begins or ends may be seen in part, once a connection.
    assert abs(report["hits"] - report["requests"]) <= 8, report
    assert bed.metric("mcguard_proxy_tls_handshakes_total") >= before + 4
