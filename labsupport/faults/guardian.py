"""The process that lets a paused process run again when its injector is gone.

SIGSTOP outlives whoever sent it: an injector that is killed would leave its target frozen for ever. So `pause` in
`faults.processes` starts this file as a child before it stops anything, and holds the write end of its standard input.
When that pipe closes, whatever the reason, the guardian sends SIGCONT and leaves. It is started by path and imports
nothing of ours.

Limitations: when injector and guardian are killed together, the target stays paused.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

import psutil


def main() -> None:
    """Guard the process whose pid is the first argument on behalf of the one whose pid is the second."""
    target = psutil.Process(int(sys.argv[1]))  # holds the start time too: a reused pid is never signalled
    injector_pid = int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        print("guarding", flush=True)
        # A fork of the injector may hold the pipe open after it, hence the look at the parent.
        while os.getppid() == injector_pid:
            readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.2)
            if readable and not os.read(sys.stdin.fileno(), 1):
                break
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            target.resume()


if __name__ == "__main__":
    main()
