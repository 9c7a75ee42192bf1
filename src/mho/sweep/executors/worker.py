"""A worker process: tasks as lines of JSON on its standard input, what became of them on its standard output."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any, TextIO


def main() -> None:
    """Compute tasks until the input ends, as it also does when the process that gives them is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the tasks
    # What a user's own network or law prints must not come between the lines of answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    while True:
        _work(tasks.get(), answers)


def _read(tasks: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)  # at once: nobody is there for the answer


def _work(task: dict[str, Any], answers: TextIO) -> None:
    from mho.sweep.compute import compute

    def say(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    try:
        say(answer=compute(task, told=lambda share: say(share=share)))
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}" if not str(error) else str(error))


if __name__ == "__main__":
    main()
