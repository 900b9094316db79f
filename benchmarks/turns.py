# SPDX-License-Identifier: MIT
"""Runs measurements that are compared with each other, each in a separate process."""

import json
import subprocess
import sys

ROUNDS = 3
SLOW = 20  # seconds; slower measurements are not repeated
REPETITIONS = (f"Measurements below {SLOW} seconds are repeated {ROUNDS} times, alternating with those of the peers, and the fastest is "
               "reported.")


def measured(command):
    print("  " + " ".join(map(str, command[1:])), file=sys.stderr, flush=True)
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def in_turns(commands):
    """The fastest result of each command. Each round runs all commands, so that a temporary slowdown of the machine does not
    affect only one of them."""
    best = [measured(command) for command in commands]
    for _ in range(ROUNDS - 1):
        for i, command in enumerate(commands):
            if best[i]["seconds"] < SLOW:
                best[i] = min(best[i], measured(command), key=lambda result: result["seconds"])
    return best
