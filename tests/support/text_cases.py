"""Streams of the text protocol on which the proxy has to answer as memcached does.

`;` separates commands and `|` a command from its data; {k}, {l}, {m} are keys of the case's own and {b} one
in base64. Written from memcached's protocol.txt and the subjects of its own tests: what each command
answers, in which order errors are found, what noreply hides, and what becomes of the connection.
"""

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
NOREPLY = [
    "add {k} 0 0 1 noreply|x;add {k} 0 0 1 noreply|y;get {k}", "replace {k} 0 0 1 noreply|x;get {k}",
    "set {k} 3 0 1|a;append {k} 0 0 1 noreply|b;prepend {k} 9 9 1 noreply|c;get {k}",
    "cas {k} 0 0 1 5 noreply|x;get {k}", "set {k} 0 0 1|a;cas {k} 0 0 1 999999999 noreply|x;get {k}",
    "incr {k} 1 noreply", "decr {k} 1 noreply", "incr {k} abc noreply", "touch {k} 5 noreply", "touch {k} abc noreply",
    "delete {k} noreply", "delete {k} 5 noreply", "set {k} a 0 1 noreply", "set {k} 0 0 abc noreply",
    "set {k} 0 0 -1 noreply", "set {k} 0 0 2 noreply|abc;get {k}", "set {k} 0 0 4 noreply|abc", "get {k} noreply",
    "verbosity noreply", "verbosity abc noreply", "verbosity 1 2 noreply", "version noreply", "mn noreply",
    "set {k} 0 0 1 noreply noreply|x", "cas {k} 0 0 1 1 noreply more|x", "touch {k} 10 noreply 5",
    "delete {k} 0 noreply 1", "delete {k} noreply noreply", "set {k} 0 0 1|5;decr {k} 1 noreply;get {k}",
    "set {k} 0 0 1|x;touch {k} -1 noreply;get {k}", "flush_all abc noreply",
]
CAS = [
    "cas {k} 0 0 1 0|x", "set {k} 0 0 1|x;cas {k} 0 0 1 0|y;get {k}", "cas {k} 0 0 1 -1|x", "cas {k} 0 0", "cas",
    "cas {k} 0 0 1 18446744073709551616|x", "cas {k} 0 0 1 1 nonsense|x;get {k}",
    "set {k} 0 0 1|x;cas {k} 0 0 1 999999999|y;get {k}", "set {k} 0 0 1|x;cas {k} 0 0 2 999999999|y;get {k}",
    "set {k} 0 0 1|x;delete {k};cas {k} 0 0 1 999999999|y;gets {k}", "set {k} 0 0 1|x;gets {k} {l} {k}",
]
NUMBERS = [
    "set {k} +5 0 1|x;get {k}", "set {k} 05 0 1|x;get {k}", "set {k} 0x5 0 1|x", "set {k} 1.5 0 1|x", "set {k} 0 0 1x|a",
    "set {k} 0 2147483648 1|x;get {k}", "set {k} 0 -2147483649 1|x", "set {k} 0 4294967296 1|x",
    "set {k} 0 0 2147483647", "set {k} 0 0 2147483646", "set {k} 0 0 1|5;incr {k} 18446744073709551616",
    "set {k} 0 0 1|5;incr {k} 1 2", "set {k} 0 0 1|5;incr {k} 1 2 3", "set {k} 0 0 1|5;incr {k} +1;get {k}",
    "set {k} 0 0 1|5;incr {k} 1.5", "set {k} 0 0 20|18446744073709551615;incr {k} 1;get {k}",
    "set {k} 0 0 21|184467440737095516151;incr {k} 1", "set {k} 0 0 3|1 2;incr {k} 1",
    "set {k} 0 0 2| 5;incr {k} 1;get {k}", "set {k} 0 0 3|5  ;incr {k} 1;get {k}", "set {k} 0 0 2|-1;incr {k} 1",
    "set {k} 0 0 0|;incr {k} 1", "set {k} 0 0 1|5;decr {k} 5;decr {k} 1;get {k}",
    "set {k} 7 0 2|99;incr {k} 1;get {k};incr {k} 900;get {k}", "verbosity abc", "verbosity 1 2", "verbosity 1 2 3",
]
EXPIRY = [
    "touch {k} -1", "set {k} 0 0 1|x;touch {k} -1;get {k}", "touch {k} 10 20", "touch",
    "set {k} 0 0 1|x;touch {k} 4294967296", "set {k} 0 0 1|x;gat -1 {k};get {k}", "gat abc {k}", "gats",
    "gat 10 {k} {l} {m}", "set {k} 0 0 1|x;set {l} 0 0 1|y;gats 10 {l} {m} {k} {l};gat 0 {k} {k}",
    "set {k} 0 1 1|x;touch {k} 0;get {k}", "set {k} 0 2592000 1|x;get {k}", "set {k} 0 2592001 1|x;get {k}",
    "add {k} 0 -1 1|x;get {k};add {k} 0 0 1|y;get {k}", "set {k} 0 0 1|x;set {k} 0 -1 1|y;add {k} 0 0 1|z;get {k}",
    "delete {k} 0 1", "delete {k} 00", "delete {k} abc", "delete " + "x" * 251, "touch " + "x" * 251 + " 1",
]
BOGUS = [
    "quit", "quit now;get {k}", "get {k};quit;get {k}", "version", "version 1 2", "mn foo bar", "bget {k}", "foo bar",
    "get {k}\t{l}", "\tget {k}", "get {k} ", "getx {k}", "ge", "g", "m", "mx", "config get x", "misbehave", "slabs",
    "GET / HTTP/1.1", "get / HTTP/1.1", "stats nonsense", "flush_all abc", "flush_all 1 2 3", "set", "set {k}",
    "set {k} 0", "add {k} 0 0", "set {k} 0 0 3|a\r\n;get {k}", "set {k} 0 0 1|x;set {k} 0 0 a|zzz;get {k}",
    "set {k} 0 0 1|x;set {k} 0 0 9|short", "add " + "x" * 251 + " 0 0 1|a", "append {k} 0 0 0|",
    "set {k} 1 0 1|x;append {k} 0 0 0|;get {k}", "incr " + "x" * 251 + " 1", "gat 1 " + "x" * 251, "x" * 2045,
    "get " + " ".join(f"q{i}" for i in range(100)), "set {k} 0 0 1|x;get " + " ".join(["{k}"] * 50), "get " + "x" * 2100,
]
LARGE = [
    "set {k} 0 0 1000000|" + "x" * 1000000 + ";get {k}",
    *(f"set {{k}} 0 0 1|x;{command}|" + "x" * 1048577 + ";get {k}" for command in (
        "set {k} 0 0 1048577", "set {k} 0 0 1048577 noreply", "add {k} 0 0 1048577", "replace {k} 0 0 1048577",
        "append {k} 0 0 1048577", "prepend {k} 0 0 1048577", "cas {k} 0 0 1048577 5", "ms {k} 1048577")),
]
META_MORE = [
    "md !!! b", "ma !!! b", "me !!! b", "md {k} b", "mg {b}= b k", "ms {b} 1 b|a;me {b} b", "ms {k} 1|a;me {k};me {k} O1",
    "me {k} {l}", "ms {k} 2 T-1|hi;mg {k} v", "ms {k} 2 S2|hi", "ms {k} S2|hi;mn", "ms {k} 2 c k O9|hi",
    "ms {k} 2 MA N0|hi;mg {k} v t", "ms {k} 2 MA N0 T30 F5|hi;mg {k} v t f", "ms {k} 2 MP N60|hi;mg {k} v t",
    "ms {k} 2|hi;md {k} I;mg {k} v;mg {k} v", "ms {k} 2|hi;md {k} I T30;ms {k} 2|ho;mg {k} v t",
    "ms {k} 2 T30|hi;mg {k} R60 v;mg {k} R60 v;ms {k} 2|ho;mg {k} v", "mg {k} N30 R20 v t;mg {k} N30 R20 v t;mg {k} k q N30 v",
    "mg {k} N0;ms {k} 1|a;mg {k}", "ms {k} 1|a;mg {k} q k;mg {k} q;mg {k} k q v;mn", "ms {k} 3|abc;ma {k} N5;mg {k} v",
    "ma {k} N0 J18446744073709551615;ma {k} D1 v t c", "ms {k} 2|10;ma {k} MD D1 v;mg {k} s v", "ma {k} N0 Jabc",
    "ma {k} Nabc", "ma {k} N0 J-1 v", "ms {k} 1|5;ma {k} MI D-1", "ms {k} 1|5;ma {k} MXX v", "ms {k} 1|5;ma {k} q v;mg {k} v",
    "ms {k} 1|5;ma {k} T30 t v;ma {k} t v", "ms {k} 1|5;ma {k} C999999999 v", "ms {k} 1|5;ma {k} v E77;mg {k} v",
    "ms {k} 1|5;md {k} x;mg {k} v", "ms {k} 1 F7 T30|5;md {k} x;mg {k} v f t", "ms {k} 1 E100|5;mg {k} v",
    "ms {k} 1|5;mg {k} E100 v", "ms {k} 1 s f t|5", "ms {k} 1 k s|5", "mg {k} v k O" + "z" * 31,
    "ms {k} 1 O" + "z" * 32 + "|a;mg {k} v", "md {k} O" + "z" * 32, "ma {k} O" + "z" * 32, "md {k} ! k", "ma {k} k k", "me {k} k k !",
    "mg {k} " + " ".join("abcdefghijklmnopqr"), "md {k} " + " ".join("abcdefghijklmnopqr"),
    "ma {k} " + " ".join("abcdefghijklmnopqr"), "me {k} " + " ".join("abcdefghijklmnopqrstu"),
    "ms {k} -1|a", "ms {k} 1x|a", "ms {k} 1|ab;mn", "ms {k} 2|a;mn", "ms {k} 1 q|ab;mn", "ms " + "x" * 251 + " 1|a;mn",
    "md " + "x" * 251, "ma " + "x" * 251, "me " + "x" * 251, "ms {k} 0|;mg {k} v s", "mg {k}  v  t ", "ms  {k}  1  T5 |a;mg {k} t",
    "mg {k} \t", "MG {k}", "ms Zg 1 b|a;mn;mg Zg b k", "mg " + "Zm9v" * 62 + " b k", "mg " + "Zm9v" * 63 + " b k",
    "ms " + "Zm9v" * 62 + " 1 b|a;mg " + "Zm9v" * 62 + " b k v", "md {k} q;ma {k} q;mg {k} q;ms {k} 1 MR q|x;mn",
    "mg {k} k O1 v;mg {l} v O2 q;mg {m} O3;ms {k} 1 O4 k|x;mg {k} O5 k s v;md {l} O6 k q;md {k} q O7;mn",
]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def flag_cases(f):
    """This letter as a flag of every meta command: bare, with a number, with nonsense, on a hit and on a
    miss, quiet and with a base64 key; and as a mode."""
    for verb in ("mg", "md", "ma", "me"):
        yield f"{verb} {{k}} {f}"
        yield f"{verb} {{k}} {f}abc"
        yield f"{verb} {{b}} b k {f}"
        yield f"ms {{b}} 1 b|5;{verb} {{b}} b k {f}" if verb != "me" else f"me {{b}} b {f}"
        for flags in (f, f + "1 k O1", "q " + f + "1", f + "-1"):
            yield f"ms {{k}} 1|5;{verb} {{k}} {flags};mg {{k}} v f t"
    yield f"mg {{k}} k {f}1 q"
    yield f"md {{k}} k {f}1 q"
    yield f"ms {{k}} 1|5;ms {{k}} 1 {f}1 k O1|6;mg {{k}} v f t"
    for flags in (f, f + "1 q", f + "abc", f + "-1", "M" + f):
        yield f"ms {{k}} 1 {flags}|5;mg {{k}} v f t"
    yield f"ms {{k}} 1|5;ms {{k}} 1 M{f}|5;mg {{k}} v f t"
    yield f"ms {{k}} 1|5;ma {{k}} M{f} D2 v;mg {{k}} v f t"
