"""The same bytes to memcached and to the proxy: the same bytes back, wherever they are split.

The streams are in tests/support/text_cases.py, binary_cases.py and random_text.py. Each ends with `mn` or a NOOP, whose
answer shows whether the connection was still followed, and with the end of the client's stream. Only cas
tokens may differ: they are compared by what they do.
"""
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import binary_cases  # noqa: E402
import text_cases  # noqa: E402
from differential import (Direct, converse, frames_shown, split_once, split_wholly, text_shown,  # noqa: E402
                          text_stream)
from proxy_bed import Client, FakeAgent, ProxyBed, frame  # noqa: E402
from random_text import RandomText  # noqa: E402

TEXT = [*text_cases.CLASSIC, *text_cases.META, *text_cases.NOREPLY, *text_cases.CAS, *text_cases.NUMBERS,
        *text_cases.EXPIRY, *text_cases.BOGUS, *text_cases.META_MORE]
BINARY = list(binary_cases.SMALL)
SHORT = 400  # bytes of a stream that is split at every position; longer ones, at some


@pytest.fixture(scope="module", name="servers")
def start_servers():
    with ProxyBed() as bed, Direct(bed.address) as direct:
        yield direct.place, (bed.address, bed.open_port)


def compare(servers, what, data, pieces, shown):
    # memcached's second may change between a store and the next command.
    direct, proxied = (re.sub(rb" la=[01]\b", b" la=0", converse(server, pieces)) for server in servers)
    assert shown(proxied) == shown(direct), (what, data[:300])


def some_splits(data):
    """Where much can go wrong, in a stream too long for every position."""
    places = {1, 2, len(data) - 1, len(data) // 2, *(i for i in range(23, len(data) - 1) if data[i:i + 1] in b"\r\n")}
    return ([data[:at], data[at:]] for at in sorted(places)[:50])


def ways(data):
    """Whole, split in two, byte by byte."""
    yield [data]
    yield from split_once(data) if len(data) <= SHORT else some_splits(data)
    if len(data) <= SHORT:
        yield split_wholly(data)


@pytest.mark.parametrize("case", TEXT)
def test_a_text_stream_wherever_it_is_split(servers, case):
    number = TEXT.index(case) * 1000
    for i in range(sum(1 for _ in ways(text_stream(case, number)))):
        data = text_stream(case, number + i)  # the same length, keys of its own
        pieces = list(ways(data))[i]
        compare(servers, case, data, pieces, text_shown)


@pytest.mark.parametrize("letter", text_cases.LETTERS)
def test_every_letter_as_a_flag(servers, letter):
    cases = list(text_cases.flag_cases(letter))
    for i, case in enumerate(cases):
        number = 1_000_000 + text_cases.LETTERS.index(letter) * 1000 + i * 2
        data = text_stream(case, number)
        compare(servers, case, data, [data], text_shown)
        data = text_stream(case, number + 1)
        compare(servers, case, data, split_wholly(data), text_shown)


def random_shown(data):
    """Without what depends on the moment: seconds, and the spaces behind a number that became shorter."""
    data = re.sub(rb" ([tl])-?\d+", rb" \1SECONDS", text_shown(data))
    data = re.sub(rb"^(\d+) +\r$", rb"\1\r", data, flags=re.M)
    return re.sub(rb"^(VALUE \S+ \d+|VA) \d+|( s)\d+", rb"\1\2 SIZE", data, flags=re.M)


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_streams(servers, seed):
    text = RandomText(seed)
    for _ in range(100):
        data = text.stream()
        half = len(data) // 2
        compare(servers, f"seed {seed}", data, [data[:half], data[half:]], random_shown)


def test_values_that_are_too_large(servers):
    for i, case in enumerate(text_cases.LARGE):
        data = text_stream(case, 2_000_000 + i * 10)
        compare(servers, case[:60], data, [data], text_shown)
        for j, at in enumerate((30, 70, 5000, len(data) - 20), 1):
            data = text_stream(case, 2_000_000 + i * 10 + j)
            compare(servers, case[:60], data, [data[:at], data[at:]], text_shown)
    for i, (name, make) in enumerate(binary_cases.LARGE.items()):
        data = make(b"large%06d" % i) + frame(binary_cases.NOOP)
        compare(servers, name, data, [data], frames_shown)
        data = make(b"larger%05d" % i) + frame(binary_cases.NOOP)
        compare(servers, name, data, [data[:100], data[100:9000], data[9000:]], frames_shown)


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_stream_wherever_it_is_split(servers, name):
    def stream(i):
        return binary_cases.SMALL[name](b"b%03d%04d" % (BINARY.index(name), i)) + frame(binary_cases.NOOP, opaque=99)

    for i in range(sum(1 for _ in ways(stream(0)))):
        data = stream(i)
        compare(servers, name, data, list(ways(data))[i], frames_shown)


FLUSHES = ["flush_all", "flush_all 0", "flush_all noreply", "flush_all 0 noreply", "flush_all 1000",
           "flush_all 1000 noreply", "flush_all 1000 2"]


def test_flushes_are_answered_as_memcached_does():
    """Slow to make by the hundred: whole, and split where words meet."""
    with ProxyBed() as bed, Direct(bed.address) as direct:
        def answer(args):
            if args.get("delay_s"):
                return {"ok": True, "value": None}
            return {"ok": True, "value": bed.flush(args["cache"], bed.flushes + 2)}

        both = direct.place, (bed.address, bed.open_port)
        with FakeAgent(bed, answer):
            for i, command in enumerate(FLUSHES):
                case = "set {k} 0 0 1|a;" + command + ";get {k};set {k} 0 0 1|b;get {k}"
                data = text_stream(case, i)
                at = data.index(command.encode()) + 5
                compare(both, case, data, [data], text_shown)
                compare(both, case, data, [data[:at], data[at:]], text_shown)
            for op in (binary_cases.FLUSH, binary_cases.FLUSHQ):
                for extras in (b"", binary_cases.until(0), binary_cases.until(1000)):
                    key = b"flush%d%d" % (op, len(extras))
                    data = (frame(binary_cases.SET, key, b"a", binary_cases.store()) + frame(op, extras=extras) +
                            frame(binary_cases.GET, key) + frame(binary_cases.NOOP))
                    compare(both, f"flush {op:#x} {extras}", data, [data], frames_shown)
                    at = data.index(frame(op, extras=extras)) + 10
                    compare(both, f"flush {op:#x} {extras}", data, [data[:at], data[at:]], frames_shown)


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
