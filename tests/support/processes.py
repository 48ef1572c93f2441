"""What a process takes of its machine."""
import os
import time


def cpu_seconds(pid):
    """What the process, with threads that have ended, has run so far; to the nanosecond, where
    /proc/PID/stat has ticks of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
