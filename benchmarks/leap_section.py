# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: LEAP beside the same maths in plain LibTorch, softmax attention, and its own projection.

leap_section.py PROGRAM    PROGRAM is leap_costs; every contender is a process of its own, so that its memory can be told
"""
import json
import os
import subprocess
import sys

LENGTHS = [1024, 4096, 16384, 65536]
WINDOWS = [64, 256, 0]
ATTENTION_UP_TO = 16384  # tokens: beyond, one call takes minutes
DIRECTIONS = {"forward": "forward", "backward": "forward + backward"}
THREADS = min(2, os.cpu_count())
POSITIONS = [1_000, 1_000_000]
STEP_WINDOWS = [0, 16, 256]


def run(program, *words):
    output = subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def milliseconds(row):
    return f"{1e3 * row['seconds']:.3g}" if row else "-"


def megabytes(row):
    return f"{row['memory'] / 1e6:.0f}" if row else "-"


def ratio(peer, ours):
    return f"{peer['seconds'] / ours['seconds']:.1f}x" if peer else "-"


def name_of(window):
    return "all" if window == 0 else str(window)


def print_table(heads):
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))


def print_row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def mechanism(program):
    print_table(["tokens", "", "window", "mneme, ms", "original, ms", "ratio", "softmax, ms", "ratio", "mneme, MB",
                 "original, MB", "softmax, MB"])
    for length in LENGTHS:
        for direction, title in DIRECTIONS.items():
            softmax = None
            if length <= ATTENTION_UP_TO:
                softmax = run(program, "attention", length, 0, direction, THREADS)
            for window in WINDOWS:
                ours = run(program, "leap", length, window, direction, THREADS)
                original = run(program, "original", length, window, direction, THREADS)
                print_row([str(length), title, name_of(window), milliseconds(ours), milliseconds(original),
                           ratio(original, ours), milliseconds(softmax), ratio(softmax, ours), megabytes(ours),
                           megabytes(original), megabytes(softmax)])


def layer(program):
    print_table(["tokens", "", "window", "layer, ms", "projection alone, ms", "layer / projection", "softmax layer, ms",
                 "ratio", "layer, MB"])
    for length in LENGTHS:
        for direction, title in DIRECTIONS.items():
            projection = run(program, "projection", length, 0, direction, THREADS)
            softmax = None
            if length <= ATTENTION_UP_TO:
                softmax = run(program, "attention_layer", length, 0, direction, THREADS)
            for window in WINDOWS:
                ours = run(program, "leap_layer", length, window, direction, THREADS)
                print_row([str(length), title, name_of(window), milliseconds(ours), milliseconds(projection),
                           f"{ours['seconds'] / projection['seconds']:.2f}", milliseconds(softmax), ratio(softmax, ours),
                           megabytes(ours)])


def steps(program):
    print_table(["window"] + [f"at {position}, us" for position in POSITIONS] + ["ratio", "slowest step / median"])
    for window in STEP_WINDOWS:
        times = [run(program, "step", window, position) for position in POSITIONS]
        print_row([name_of(window)] + [f"{1e6 * t['median']:.3g}" for t in times] +
                  [f"{times[-1]['median'] / times[0]['median']:.2f}",
                   f"{max(t['largest'] / t['median'] for t in times):.1f}"])


def main():
    program = sys.argv[1]
    machine = run(program, "leap", 64, 0, "forward", THREADS)
    print(f"CPU: {machine['cpu']}, {machine['isa']}, {THREADS} threads. One sequence in float32, 8 heads of 64 features. Memory is the "
          "most that was resident, above that at the start: inputs, results and gradients included. The original is LEAP as its code "
          "computes it, by differences of prefix sums, in LibTorch; softmax is LibTorch's causal scaled_dot_product_attention.\n")
    print("The mechanism, from query, focus, key and value:\n")
    mechanism(program)
    print("\nThe layer, with its projection 512 -> 2048 (softmax: 512 -> 1536):\n")
    layer(program)
    print("\nOne token after another, from a state, on one thread; each step is the fastest of several rounds:\n")
    steps(program)


if __name__ == "__main__":
    main()
