"""What the proxy answers to meta commands in a backend's stead shows opaque and key, as memcached does.

A client that matches replies to requests by opaque or key must find them in every reply, or it waits
for ever: whether the backend is away, the key moves, the cache was flushed, or a write is not allowed.
"""
import base64
import re
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import READER, SLOTS, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402


@pytest.fixture
def bed():
    with ProxyBed(yaml="timeouts: {request: 20s}", workers=1) as started:
        yield started


def in_flight(bed, commands):
    """A client whose commands a stopped backend 0 has before it."""
    client = bed.login()
    bed.stop_backend(0)
    before = requests_of(bed)
    client.send(commands)
    wait_for("they are under way", lambda: requests_of(bed) >= before + commands.count(b"mg "), 5)
    return client


def requests_of(bed):
    """How many gets have begun."""
    text = urllib.request.urlopen(f"http://{bed.address}:{bed.metrics_port}/metrics", timeout=5).read().decode()
    return float(re.search(r'^mcguard_proxy_requests_total\{operation="get"\} (\S+)$', text, re.M)[1])


def test_a_miss_of_a_backend_that_is_gone(bed):
    key = bed.keys(0)[0]
    encoded = base64.b64encode(key)
    client = in_flight(bed, b"mg %s v k O12 t\r\nmg %s v\r\nmg %s q k O3\r\nmg %s b Oq k v\r\nmn\r\n"
                       % (key, key, key, encoded))
    bed.memcached[0].kill()
    bed.memcached[0].wait()
    assert client.line() == b"EN k%s O12\r\n" % key
    assert client.line() == b"EN\r\n"
    assert client.line() == b"EN Oq k%s b\r\n" % encoded
    assert client.line() == b"MN\r\n"
    client.send(b"mg %s O4 v k\r\nms %s 1 O5\r\na\r\n" % (key, key))
    assert client.line() == b"EN O4 k%s\r\n" % key, "the same when it was not sent at all"
    assert client.line() == b"SERVER_ERROR backend unavailable\r\n"


def test_a_miss_of_a_cache_that_was_flushed_meanwhile(bed):
    key = bed.keys(0)[0]
    bed.login().set(key, b"old")
    client = in_flight(bed, b"mg %s v k O12 t\r\nmg %s O1\r\n" % (key, key))
    bed.flush(1, 2)
    bed.continue_backend(0)
    bed.write_fence()
    assert client.line() == b"EN k%s O12\r\n" % key
    assert client.line() == b"EN O1\r\n"


def test_a_miss_of_a_key_that_moves(bed):
    key = bed.keys(0)[0]
    client = in_flight(bed, b"mg %s v k O12 t\r\nmg %s k\r\n" % (key, key))
    epoch = bed.prepare([1] * SLOTS)
    assert client.line() == b"EN k%s O12\r\n" % key
    assert client.line() == b"EN k%s\r\n" % key
    client.send(b"mg %s v O2 k\r\n" % key)
    assert client.line() == b"EN O2 k%s\r\n" % key
    bed.continue_backend(0)
    bed.commit(epoch)


def test_what_is_not_allowed(bed):
    client = bed.login(READER)
    client.call(b"ms foo 1 O1 k T30\r\na\r\n", b"NS O1 kfoo\r\n")
    client.call(b"md foo k O2\r\n", b"NF kfoo O2\r\n")
    client.call(b"ma Zm9v b O3 k\r\n", b"NF O3 kZm9v b\r\n")
    client.call(b"ms foo 1 q\r\na\r\n", b"NS\r\n")
