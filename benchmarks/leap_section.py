# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: LEAP compared with the same function in plain LibTorch, softmax attention, and its projection.

leap_section.py PROGRAM    PROGRAM is leap_costs; each measurement runs in a separate process, to determine its peak memory
"""
import os
import sys

from turns import REPETITIONS, in_turns, measured

LENGTHS = [1024, 4096, 16384, 65536]
WINDOWS = [64, 256, 0]
DROPOUT_WINDOW = 256
ATTENTION_TOKENS_MAX = 16384  # longer sequences take minutes per call
DIRECTIONS = {"forward": "forward", "backward": "forward + backward"}
THREADS = min(2, os.cpu_count())
POSITIONS = [1_000, 1_000_000]
STEP_WINDOWS = [0, 16, 256]


def command(program, what, tokens, window, direction):
    return [program, what, tokens, window, direction, THREADS]


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
            pairs = [command(program, what, length, window, direction) for window in WINDOWS for what in ["leap", "original"]]
            attention = [command(program, "attention", length, 0, direction)] if length <= ATTENTION_TOKENS_MAX else []
            rows = in_turns(pairs + attention)
            softmax = rows[len(pairs)] if attention else None
            for window, ours, original in zip(WINDOWS, rows[0:len(pairs):2], rows[1:len(pairs):2]):
                print_row([str(length), title, name_of(window), milliseconds(ours), milliseconds(original),
                           ratio(original, ours), milliseconds(softmax), ratio(softmax, ours), megabytes(ours),
                           megabytes(original), megabytes(softmax)])


def layer(program):
    print_table(["tokens", "", "window", "layer, ms", "projection alone, ms", "layer / projection", "softmax layer, ms",
                 "ratio", "layer, MB"])
    for length in LENGTHS:
        for direction, title in DIRECTIONS.items():
            peers = ["projection"] + (["attention_layer"] if length <= ATTENTION_TOKENS_MAX else [])
            rows = in_turns([command(program, "leap_layer", length, window, direction) for window in WINDOWS] +
                            [command(program, peer, length, 0, direction) for peer in peers])
            projection, softmax = (rows[len(WINDOWS):] + [None])[:2]
            for window, ours in zip(WINDOWS, rows):
                print_row([str(length), title, name_of(window), milliseconds(ours), milliseconds(projection),
                           f"{ours['seconds'] / projection['seconds']:.2f}", milliseconds(softmax), ratio(softmax, ours),
                           megabytes(ours)])


def dropout_layer(program):
    print_table(["tokens", "layer, ms", "projection alone, ms", "layer / projection", "original, ms", "ratio", "layer, MB", "original, MB"])
    for length in LENGTHS:
        ours, projection, original = in_turns([command(program, what, length, DROPOUT_WINDOW, "backward")
                                               for what in ["leap_layer_dropout", "projection", "original_dropout"]])
        print_row([str(length), milliseconds(ours), milliseconds(projection), f"{ours['seconds'] / projection['seconds']:.2f}",
                   milliseconds(original), ratio(original, ours), megabytes(ours), megabytes(original)])


def steps(program):
    print_table(["window"] + [f"at {position}, us" for position in POSITIONS] + ["ratio", "slowest step / median"])
    for window in STEP_WINDOWS:
        times = in_turns([[program, "step", window, position] for position in POSITIONS])
        print_row([name_of(window)] + [f"{1e6 * t['seconds']:.3g}" for t in times] +
                  [f"{times[-1]['seconds'] / times[0]['seconds']:.2f}",
                   f"{max(t['max'] / t['seconds'] for t in times):.1f}"])


def main():
    program = sys.argv[1]
    machine = measured(command(program, "leap", 64, 0, "forward"))
    print(f"CPU: {machine['cpu']}, {machine['isa']}, {THREADS} threads. One sequence in float32, 8 heads of 64 features. Memory is the "
          "peak resident memory above that at the start, including inputs, results and gradients. The original computes LEAP by "
          "differences of prefix sums, in LibTorch; softmax is LibTorch's causal scaled_dot_product_attention. "
          f"{REPETITIONS}\n")
    print("LEAP of given query, focus, key and value:\n")
    mechanism(program)
    print("\nLayer with its projection 512 -> 2048 (softmax: 512 -> 1536):\n")
    layer(program)
    print(f"\nLayer in training with dropout 0.1, forward and backward, window {DROPOUT_WINDOW}; the original is the same layer in plain "
          "LibTorch:\n")
    dropout_layer(program)
    print("\nSingle-token steps from a recurrent state at two positions, on one thread; the time of each step is the fastest of several "
          "rounds:\n")
    steps(program)


if __name__ == "__main__":
    main()
