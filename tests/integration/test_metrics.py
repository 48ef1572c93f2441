"""What Prometheus sees."""
import gzip
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region  # noqa: E402

# What Prometheus 2.42 sends.
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def scrape(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        body = answer.read()
        compressed = answer.headers.get("Content-Encoding") == "gzip"
        assert compressed == ("Accept-Encoding" in headers), url
        if compressed:
            body = gzip.decompress(body)
        return answer.headers["Content-Type"], body


def check_usage(region):
    """What two proxies know of a cache's items is put together, each item once."""
    count, size = 12000, 100
    clients = [region.client(0), region.client(1)]
    for begin in range(0, count, 100):
        keys = [f"usage:{i}" for i in range(begin, begin + 100)]
        client = clients[begin // 100 % 2]
        client.socket.sendall(b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (k.encode(), size, b"v" * size)
                                       for k in keys))
        assert client.exactly(8 * 100) == b"STORED\r\n" * 100
    for i in range(0, count, 3):
        assert clients[1].get(f"usage:{i}") is not None, "some are known to both"
    status, cache = region.api(f"/api/v1/caches/{region.info()['cache']['id']}")
    usage = cache["usage"]
    assert (status, usage["proxies"]) == (200, 2), usage
    assert 0 < usage["items_error"] < 0.3, usage
    assert abs(usage["items"] / count - 1) < 1.5 * usage["items_error"], usage
    assert size < usage["bytes"] / usage["items"] < size + 120, usage
    assert usage["connections"] >= 2, usage


def test_metrics_of_agent_and_proxies_are_accepted_by_promtool():
    with Region() as region:
        check_usage(region)
        client = region.client()
        for n in range(50):
            client.set(f"metric:{n}", "1")
            client.get(f"metric:{n}")
        urls = [region.url("operator") + "/metrics"]
        base = region.port_base
        urls += [f"http://{p['address']}:{base + 30}{path}" for path in ("/metrics", "/metrics/caches")
                 for c in region.info()["clusters"] for p in c["proxies"]]
        for url in urls:
            kind, body = scrape(url, **{"Accept-Encoding": "gzip"})
            assert kind.startswith("text/plain; version=0.0.4"), kind
            done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True,
                                  timeout=20, check=False)
            assert done.returncode == 0, (url, done.stderr.decode(), body[:2000])
            kind, body = scrape(url, Accept=PROMETHEUS, **{"Accept-Encoding": "gzip"})
            assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
            assert body.endswith(b"# EOF\n")
            families = {f.name: f for f in text_string_to_metric_families(body.decode())}
            assert families, url
            assert len(families) == len(re.findall(rb"^# TYPE ", body, re.M)), "one name, one family"
            units = {f.unit for f in families.values()}
            assert units <= {"", "seconds", "bytes"} and "bytes" in units, units
        assert b"mcguard_proxy_requests_total" in scrape(urls[1])[1]
