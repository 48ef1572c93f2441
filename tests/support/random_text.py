"""Random streams of the text protocol: commands with right and wrong arguments, flags and data.

Left out is what docs/protocol.md says is answered differently, most lines with two mistakes, of which another
may be told, and where memcached itself is not sure: a get of several keys with one that is too long drops the
answers before it, if they came in the same packet; a number is read beyond a value of white space; in a
server's first minute 2^32 - 1 is no time in the past.
"""
import random

NUMBERS = ("0", "1", "2", "3", "5", "10", "100")
ODD_NUMBERS = ("-1", "-5", "4294967296", "18446744073709551615", "18446744073709551616", "abc", "",
               "1a", "00", "+1", "2592001", "99999999999999999999999", "0x10", "1.5")
VALUES = ("5", "10", "99", "1", "18446744073709551615", "0", "", "a", "abc", "x" * 50, "END\r\n", "12x")
META_FLAGS = {"mg": "bcfhklOqstvuEINRTPLM", "ms": "bcfhkqOsCEFTMPLN", "md": "bkqOCETxPLt", "ma": "bkOvctNJDTMCEPLs"}
STORES = ("set", "add", "replace", "append", "prepend", "cas")
WHOLE = ("mn", "version", "verbosity 1", "mn x", "", "nonsense", "GET a", "mgx k", " mg k", "set k", "\x00", "ms k",
         "ma", "md", "incr", "gat")


class RandomText:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.number_of_stream = seed * 100_000

    def stream(self):
        """The bytes of up to 16 commands on keys that no other stream uses, and mn."""
        self.number_of_stream += 1
        return b"".join(self.command() for _ in range(self.chance.choice((2, 4, 8, 16)))) + b"mn\r\n"

    def is_one_in(self, count):
        return self.chance.randrange(count) == 0

    def number(self):
        return self.chance.choice(ODD_NUMBERS if self.is_one_in(4) else NUMBERS)

    def key(self, may_be_long=True):
        if may_be_long and self.is_one_in(30):
            return f"{self.number_of_stream:0{self.chance.choice((249, 250, 251))}}"
        end = self.chance.choice(("", "", "", "", "", "", "", "", "\x01", "\xe4"))
        return f"{self.chance.choice('klm')}{self.number_of_stream}{end}"

    def keys(self, counts):
        return " ".join(self.key(may_be_long=False) for _ in range(self.chance.choice(counts)))

    def length(self, value):
        if not self.is_one_in(10):
            return str(len(value))
        return self.chance.choice((str(len(value) + 1), str(max(0, len(value) - 1)), "-1", "abc", "", f"{len(value)}x"))

    def flag(self, letter):
        if letter in "OPL":
            return letter + self.chance.choice(("1", "abc", "z" * 33, ""))
        if letter in "TNRFJDCE":
            return letter + self.number()
        if letter == "M":
            return letter + self.chance.choice(("E", "A", "P", "R", "S", "I", "D", "+", "-", "X", "", "e", "a", "incr"))
        return letter + ("0" if letter != "b" and self.is_one_in(30) else "")

    def meta(self, verb):
        flags = [self.flag(self.chance.choice(META_FLAGS[verb])) for _ in range(self.chance.choice((0, 1, 1, 2, 3, 4, 6)))]
        key = self.key()
        if flags == ["b"] and self.is_one_in(3):
            key = self.chance.choice(("!!!", "Zm9v=", "Z", "===="))
        elif any(flag[0] == "N" for flag in flags):
            flags = [flag for flag in flags if flag[0] != "b"]
        elif "b" in flags:
            key = f"Zm9v{self.number_of_stream:08}"
        if verb != "ms":
            return " ".join([verb, key, *flags]) + "\r\n"
        value = self.chance.choice(VALUES)
        return " ".join([verb, key, str(len(value)), *flags]) + f"\r\n{value}\r\n"

    def command(self):
        verb = self.chance.choice(("get", "gets", "gat", "gats", *STORES, "incr", "decr", "touch", "delete", "mg", "mg", "ms",
                                   "ms", "md", "ma", "ma", "whole"))
        if verb in META_FLAGS:
            return self.meta(verb).encode("latin1")
        noreply = self.chance.choice(("", "", "", "", "", "", " noreply", " noreply", " x"))
        if verb in ("get", "gets"):
            line = f"{verb} {self.keys((1, 1, 2, 3, 0))}"
        elif verb in ("gat", "gats"):
            line = f"{verb} {self.number()} {self.keys((1, 2, 0))}"
        elif verb in STORES:
            value = self.chance.choice(VALUES)
            exptime = self.chance.choice(("0", "0", "100", "-1", self.number()))
            token = f" {self.number()}" if verb == "cas" else ""
            line = (f"{verb} {self.key()} {self.number()} {exptime} {self.length(value)}{token}{noreply}\r\n{value}")
        elif verb in ("incr", "decr", "touch"):
            line = f"{verb} {self.key()} {self.number()}{noreply}"
        elif verb == "delete":
            line = f"delete {self.key()}{self.chance.choice(('', '', '', ' 0', ' 1'))}{noreply}"
        else:
            line = self.chance.choice(WHOLE)
        return line.encode("latin1") + (b"\n" if self.is_one_in(30) else b"\r\n")
