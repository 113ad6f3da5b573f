"""How long a user waits before anything happens: `import zoo` and `zoo --help` beside a bare interpreter, in turn.

python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time

from _results import spread, write

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import zoo": [sys.executable, "-c", "import zoo"],
    "zoo --help": [sys.executable, "-m", "zoo", "--help"],
}
RUNS = 15


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():  # in turn, so that a slow spell of the machine hits all alike
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    rows = [{"command": name, "seconds": spread(values), "target_seconds": 1.0} for name, values in seconds.items()]
    for row in rows:
        print(f"{row['command']:<16} {row['seconds']['median']:.3f} s (of {RUNS} runs)")
    print(write("startup", rows))


if __name__ == "__main__":
    main()
