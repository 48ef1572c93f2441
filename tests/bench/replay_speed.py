#!/usr/bin/python3 -B
"""What `mcguard replay` takes for a gigabyte: rows a second of one core, and resident memory.

Prints one line per figure, `name ours wanted ratio bound ok|short`; exits 1 when one is short.
MCGUARD_BIN: the directory of the programs.
"""
import os
import pathlib
import random
import resource
import subprocess
import sys
import time

BIN = pathlib.Path(os.environ.get("MCGUARD_BIN", "build/release/bin"))
TOTAL = 1 << 30
WANTED_ROWS = 1e6  # a second
MOST_MIB = 16


def block_of(day: int) -> bytes:
    """A day of seconds."""
    draw = random.Random(day)
    stamp = time.strftime("%Y-%m-%d", time.gmtime(1767571200 + day * 86400))
    return "".join(
        f"{stamp} {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02},{draw.gauss(50, 5):.6f}\n"
        for s in range(86400)
    ).encode()


def resident_mib(pid: int) -> float:
    """The most that a process has had."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> int:
    blocks = [block_of(day) for day in range(8)]
    with subprocess.Popen(
        [BIN / "mcguard", "replay", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as replay:
        replay.stdin.write(b"timestamp,value\n")
        written = rows = 0
        while written < TOTAL:
            block = blocks[rows // 86400 % len(blocks)]
            replay.stdin.write(block)
            written += len(block)
            rows += 86400
        # What getrusage calls the largest began as a copy of this program.
        resident = resident_mib(replay.pid)
        replay.stdin.close()
        if replay.wait(timeout=120) != 0:
            print("mcguard replay failed", file=sys.stderr)
            return 1
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    speed = rows / (used.ru_utime + used.ru_stime)
    fast, small = speed >= WANTED_ROWS, resident <= MOST_MIB
    print(f"replay_rows_per_core_second {speed:.0f} {WANTED_ROWS:.0f} {speed / WANTED_ROWS:.2f} 1.00",
          "ok" if fast else "short")
    print(f"replay_resident_mib {resident:.1f} {MOST_MIB} {resident / MOST_MIB:.2f} 1.00",
          "ok" if small else "short")
    return 0 if fast and small else 1


if __name__ == "__main__":
    sys.exit(main())
