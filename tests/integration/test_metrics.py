"""What Prometheus sees."""
import gzip
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region  # noqa: E402


def scrape(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        body = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return answer.headers["Content-Type"], body


def test_metrics_of_agent_and_proxies_are_accepted_by_promtool():
    with Region() as region:
        client = region.client()
        for n in range(50):
            client.set(f"metric:{n}", "1")
            client.get(f"metric:{n}")
        urls = [region.url("operator") + "/metrics"]
        base = region.port_base
        urls += [f"http://{p['address']}:{base + 30}/metrics"
                 for c in region.info()["clusters"] for p in c["proxies"]]
        for url in urls:
            kind, body = scrape(url, **{"Accept-Encoding": "gzip"})
            assert kind.startswith("text/plain; version=0.0.4"), kind
            done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True,
                                  timeout=20, check=False)
            assert done.returncode == 0, (url, done.stderr.decode(), body[:2000])
            kind, body = scrape(url, Accept="application/openmetrics-text;version=1.0.0")
            assert kind.startswith("application/openmetrics-text"), kind
            assert body.endswith(b"# EOF\n")
        assert b"mcguard_proxy_requests_total" in scrape(urls[1])[1]
