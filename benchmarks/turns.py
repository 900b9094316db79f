# SPDX-License-Identifier: MIT
"""Runs measurements that are compared with each other, each as a process of its own."""

import json
import subprocess
import sys

ROUNDS = 3
SLOW = 20  # seconds: such a measurement is made once
HOW_OFTEN = f"What takes less than {SLOW} seconds is measured {ROUNDS} times, in turns with its peers; the faster counts."


def measured(command):
    print("  " + " ".join(map(str, command[1:])), file=sys.stderr, flush=True)
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def in_turns(commands):
    """The fastest result of each command. Rounds go through all of them, so that what slows the machine down for a while
    does not slow down one of them alone."""
    best = [measured(command) for command in commands]
    for _ in range(ROUNDS - 1):
        for i, command in enumerate(commands):
            if best[i]["seconds"] < SLOW:
                best[i] = min(best[i], measured(command), key=lambda result: result["seconds"])
    return best
