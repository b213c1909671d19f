"""How much memory programs hold."""

import psutil


def resident_mib(pid: int) -> float:
    """MiB of memory that a process and all below it hold now; 0 where one of them ended while it was looked at."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        # the next look finds the rest
        return 0.0
    return total / 2**20
