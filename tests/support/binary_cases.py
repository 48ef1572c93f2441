"""Streams of the binary protocol on which the proxy has to answer as memcached does.

Each case is a function of a key of its own that makes the stream, by a name. Every opcode is there in its
loud and its quiet form: what it answers on a hit and a miss, with and without a token, and to a frame that
is not made as it should be. A NOOP, put behind each by the test, shows whether the stream was still followed.

Left out, because memcached loses the step of the stream there and the proxy does not: a GAT, TOUCH or STAT
with a value, and an opcode that it does not know with a body.
"""
import struct

from proxy_bed import frame

GET, SET, ADD, REPLACE, DELETE, INCREMENT, DECREMENT, QUIT = range(8)
FLUSH, GETQ, NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND, STAT = range(8, 17)
SETQ, ADDQ, REPLACEQ, DELETEQ, INCREMENTQ, DECREMENTQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ = range(0x11, 0x1b)
TOUCH, GAT, GATQ, GATK, GATKQ = 0x1c, 0x1d, 0x1e, 0x23, 0x24
NO_TOKEN_HAS = 0x7ff0000000000001
NOT_A_NUMBER = b"1" * 25
TOO_LARGE = b"x" * (1024 * 1024 + 1)


def store(flags=0, exptime=0):
    return struct.pack("!II", flags, exptime)


def count(delta=1, initial=0, exptime=0):
    return struct.pack("!QQI", delta, initial, exptime)


def until(exptime):
    return struct.pack("!I", exptime)


def changed(data, **fields):
    """The frame with other fields in its header."""
    places = {"magic": (0, "!B"), "keys": (2, "!H"), "extras": (4, "!B"), "type": (5, "!B"),
              "bucket": (6, "!H"), "body": (8, "!I")}
    data = bytearray(data)
    for name, value in fields.items():
        offset, form = places[name]
        struct.pack_into(form, data, offset, value)
    return bytes(data)


def reads():
    for name, op in {"get": GET, "getq": GETQ, "getk": GETK, "getkq": GETKQ, "gat": GAT, "gatq": GATQ,
                     "gatk": GATK, "gatkq": GATKQ}.items():
        more = until(100) if op >= GAT else b""

        def ask(key, op=op, more=more, **rest):
            return frame(op, key, extras=more, **rest)

        yield name, lambda k, ask=ask: (
            ask(k) + frame(SET, k, b"abc", store(6)) + ask(k, opaque=0xdeadbeef) + ask(k, cas=5))
        yield name + " of any bytes", lambda k, ask=ask: (
            frame(SET, k + b"\0 \r\n\xff", b"v", store()) + ask(k + b"\0 \r\n\xff"))
        yield name + " of 250 bytes", lambda k, ask=ask: ask(k.ljust(250, b"k"))
        yield name + " of 251 bytes", lambda k, ask=ask: ask(k.ljust(251, b"k"))
        yield name + " without a key", lambda k, ask=ask: ask(b"")
        yield name + " with more extras", lambda k, op=op, more=more: frame(op, k, extras=more + b"1234")
    for name, op in {"get": GET, "getq": GETQ, "getk": GETK, "getkq": GETKQ}.items():
        yield name + " with a value", lambda k, op=op: frame(op, k, b"v")
    yield "gat at once", lambda k: (
        frame(SET, k, b"v", store()) + frame(GAT, k, extras=until(0xffffffff)) + frame(GET, k))
    yield "many getkq", lambda k: b"".join(
        frame(SETQ, k + b"%d" % i, b"v%d" % i, store(i)) for i in range(0, 20, 2)) + b"".join(
        frame(GETKQ, k + b"%d" % i, opaque=i) for i in range(20))


def stores():
    for name, op in {"set": SET, "setq": SETQ}.items():
        yield name, lambda k, op=op: frame(op, k, b"abc", store(5)) + frame(GET, k) + frame(GETK, k)
        yield name + " on a token", lambda k, op=op: (
            frame(op, k, b"abc", store(), cas=123) + frame(SET, k, b"x", store()) +
            frame(op, k, b"y", store(), cas=NO_TOKEN_HAS) + frame(GET, k))
        yield name + " of what has expired", lambda k, op=op: (
            frame(op, k, b"v", store(0, 0xffffffff)) + frame(GET, k) + frame(op, k, b"v", store(0, 1 << 31)) +
            frame(GET, k))
    for name, op in {"add": ADD, "addq": ADDQ}.items():
        yield name, lambda k, op=op: frame(op, k, b"a", store()) + frame(op, k, b"b", store()) + frame(GET, k)
        yield name + " on a token", lambda k, op=op: (
            frame(op, k, b"a", store(), cas=5) + frame(SET, k, b"b", store()) +
            frame(op, k, b"c", store(), cas=NO_TOKEN_HAS) + frame(GET, k))
    for name, op in {"replace": REPLACE, "replaceq": REPLACEQ}.items():
        yield name, lambda k, op=op: (
            frame(op, k, b"a", store()) + frame(SET, k, b"b", store()) + frame(op, k, b"c", store(9)) +
            frame(GET, k))
        yield name + " on a token", lambda k, op=op: (
            frame(op, k, b"a", store(), cas=4) + frame(SET, k, b"b", store()) +
            frame(op, k, b"c", store(), cas=NO_TOKEN_HAS) + frame(GET, k))
    for name, op in {"append": APPEND, "appendq": APPENDQ, "prepend": PREPEND, "prependq": PREPENDQ}.items():
        yield name, lambda k, op=op: (
            frame(op, k, b"a") + frame(SET, k, b"b", store(7)) + frame(op, k, b"c") + frame(op, k, b"") +
            frame(op, k, b"a", cas=NO_TOKEN_HAS) + frame(GET, k))
        yield name + " with extras", lambda k, op=op: frame(op, k, b"v", b"1234")
        yield name + " without a key", lambda k, op=op: frame(op, b"", b"v")
        yield name + " of 251 bytes", lambda k, op=op: frame(op, k.ljust(251, b"k"), b"v")
    for name, op in {"set": SET, "setq": SETQ, "add": ADD, "addq": ADDQ, "replace": REPLACE,
                     "replaceq": REPLACEQ}.items():
        yield name + " without extras", lambda k, op=op: frame(op, k, b"v")
        yield name + " with half its extras", lambda k, op=op: frame(op, k, b"v", b"1234")
        yield name + " without a key", lambda k, op=op: frame(op, b"", b"v", store())
        yield name + " of 251 bytes", lambda k, op=op: frame(op, k.ljust(251, b"k"), b"v", store())
        yield name + " of no bytes", lambda k, op=op: frame(op, k, b"", store(3)) + frame(GET, k)


def changes():
    for name, op in {"delete": DELETE, "deleteq": DELETEQ}.items():
        yield name, lambda k, op=op: (
            frame(op, k) + frame(SET, k, b"b", store()) + frame(op, k, cas=NO_TOKEN_HAS) + frame(op, k) +
            frame(GET, k) + frame(op, k, cas=3))
        yield name + " with extras", lambda k, op=op: frame(op, k, b"", b"1234")
        yield name + " with a value", lambda k, op=op: frame(op, k, b"v")
        yield name + " without a key", lambda k, op=op: frame(op)
        yield name + " of 251 bytes", lambda k, op=op: frame(op, k.ljust(251, b"k"))
    for name, op in {"increment": INCREMENT, "incrementq": INCREMENTQ, "decrement": DECREMENT,
                     "decrementq": DECREMENTQ}.items():
        yield name, lambda k, op=op: (
            frame(op, k, extras=count(1, 50)) + frame(op, k, extras=count(3, 5)) +
            frame(op, k, extras=count(100)) + frame(GET, k))
        yield name + " of nothing", lambda k, op=op: (
            frame(op, k, extras=count(1, 5, 0xffffffff)) + frame(GET, k))
        yield name + " on a token", lambda k, op=op: (
            frame(op, k, extras=count(1, 5)) + frame(op, k, extras=count(1), cas=NO_TOKEN_HAS) + frame(GET, k))
        yield name + " of nothing on a token", lambda k, op=op: (
            frame(op, k, extras=count(1, 5), cas=9999) + frame(GET, k))
        yield name + " of no number", lambda k, op=op: (
            frame(SET, k, b"x", store()) + frame(op, k, extras=count()) +
            frame(SET, k, NOT_A_NUMBER, store()) + frame(op, k, extras=count()))
        yield name + " of the largest", lambda k, op=op: (
            frame(op, k, extras=count(1, (1 << 64) - 1)) + frame(op, k, extras=count(2)) + frame(GET, k))
        yield name + " without extras", lambda k, op=op: frame(op, k)
        yield name + " with a value", lambda k, op=op: frame(op, k, b"v", count())
        yield name + " without a key", lambda k, op=op: frame(op, b"", b"", count())
    yield "touch", lambda k: (
        frame(TOUCH, k, extras=until(100)) + frame(SET, k, b"b", store(9)) + frame(TOUCH, k, extras=until(100)) +
        frame(TOUCH, k, extras=until(0)) + frame(GET, k))
    yield "touch at once", lambda k: (
        frame(SET, k, b"v", store()) + frame(TOUCH, k, extras=until(0xffffffff)) + frame(GET, k))
    yield "touch without extras", lambda k: frame(TOUCH, k)
    yield "touch without a key", lambda k: frame(TOUCH, b"", b"", until(1))


def others():
    for name, op in {"noop": NOOP, "version": VERSION, "quit": QUIT, "quitq": QUITQ}.items():
        yield name, lambda k, op=op: frame(op, opaque=3)
        yield name + " with a value", lambda k, op=op: frame(op, value=b"x")
        yield name + " with a key", lambda k, op=op: frame(op, k)
        yield name + " with extras", lambda k, op=op: frame(op, extras=b"x")
    for name, op in {"flush": FLUSH, "flushq": FLUSHQ}.items():
        yield name + " with half its extras", lambda k, op=op: frame(op, extras=b"xx")
        yield name + " with a key", lambda k, op=op: frame(op, k)
        yield name + " with a value", lambda k, op=op: frame(op, extras=until(0), value=b"xx")
    yield "stat of nothing known", lambda k: frame(STAT, b"nonsense")
    yield "stat reset", lambda k: frame(STAT, b"reset")
    yield "stat with extras", lambda k: frame(STAT, extras=b"1234")
    for op in (0x1b, 0x1f, 0x22, 0x25, 0x30, 0x31, 0x3d, 0x45, 0x80, 0xff):
        yield f"opcode {op:#x}", lambda k, op=op: frame(op, opaque=0x12345678)
    yield "another type", lambda k: changed(frame(GET, k), type=1)
    yield "another bucket", lambda k: changed(frame(SET, k, b"v", store()), bucket=9) + frame(GET, k)
    yield "a body that ends in the key", lambda k: changed(frame(GET, k), body=2)
    yield "no body for the key", lambda k: changed(frame(GET, k), body=0)
    yield "a body that ends in the extras", lambda k: changed(frame(SET, k, b"v", store()), body=5)
    yield "a response for a request", lambda k: frame(GET, k) + changed(frame(GET, k), magic=0x81)
    yield "text behind frames", lambda k: frame(GET, k) + b"get foo\r\n" + b" " * 30


def larges():
    def refused(op, extras):
        return lambda k: (frame(SET, k, b"old", store()) + frame(op, k, TOO_LARGE, extras) + frame(GET, k))

    for name, op in {"set": SET, "setq": SETQ, "add": ADD, "addq": ADDQ, "replace": REPLACE,
                     "replaceq": REPLACEQ}.items():
        yield name, refused(op, store())
    for name, op in {"append": APPEND, "appendq": APPENDQ, "prepend": PREPEND, "prependq": PREPENDQ}.items():
        yield name, refused(op, b"")


SMALL = {**dict(reads()), **dict(stores()), **dict(changes()), **dict(others())}
LARGE = dict(larges())
