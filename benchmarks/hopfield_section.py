# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: time and memory of Hopfield layers, of plain LibTorch and of scaled_dot_product_attention.

hopfield_section.py PROGRAM    PROGRAM is hopfield_benchmark; each measurement runs in a separate process
"""

import os
import pathlib
import shutil
import sys
import tempfile

from turns import REPETITIONS, in_turns

THREADS = min(2, os.cpu_count())
PASSES = {"forward": "forward", "backward": "forward and backward"}
IMPLEMENTATIONS = ["mneme", "plain", "sdpa"]
# head size, updates, multiple of the default beta
ASSOCIATIONS = [(16, 0, 1), (16, 1, 1), (16, 5, 1), (16, 1, 20), (16, 1, 1000), (32, 1, 1), (64, 0, 1), (64, 1, 1), (64, 5, 1)]
MASKS = {"padding": "key padding mask", "causal": "causal mask", "bias": "attention bias", "dropout": "dropout"}
# mask or dropout, head size, updates
MASKED = [("padding", 16, 1), ("causal", 16, 1), ("bias", 16, 1), ("dropout", 16, 1), ("causal", 64, 1), ("bias", 64, 1), ("dropout", 64, 1)]
# rows, features, multiple of the default beta
BAGS = [(10_000, 32, 1), (100_000, 32, 1), (300_000, 32, 1), (300_000, 32, 20), (300_000, 32, 1000), (100_000, 512, 1)]
FILE_ROWS, FILE_FEATURES = 10_000_000, 32


def command(program, shape, implementation, which):
    return [program, shape, implementation, which, THREADS]


def as_memory(size):
    return f"{size / 2**20:.3g} MiB"


def cells(ours, plain, sdpa, which):
    # The system reports memory in pages.
    memory = plain["memory"] / max(ours["memory"], 4096)
    return [PASSES[which], f"{1e3 * ours['seconds']:.3g} ms", f"{plain['seconds'] / ours['seconds']:.1f}x",
            f"{sdpa['seconds'] / ours['seconds']:.2f}x", as_memory(ours["memory"]), f"{memory:.0f}x", as_memory(sdpa["memory"])]


def with_peers(program, shape, which):
    return in_turns([command(program, shape, implementation, which) for implementation in IMPLEMENTATIONS])


def write_bag(path):
    """Writes a bag of repeated random numbers; their values do not matter here."""
    import numpy

    block = numpy.random.default_rng(1).standard_normal((FILE_ROWS // 100, FILE_FEATURES), dtype=numpy.float32)
    bag = numpy.lib.format.open_memmap(path, "w+", numpy.float32, (FILE_ROWS, FILE_FEATURES))
    for first in range(0, FILE_ROWS, len(block)):
        bag[first:first + len(block)] = block


def file_rows(program):
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 2 * 4 * FILE_ROWS * FILE_FEATURES:
            return ["Not measured: there is not enough disk space."]
        path = pathlib.Path(folder) / "bag.npy"
        write_bag(path)
        bag = f"file:{path}"
        reading, *ours = in_turns([command(program, bag, "read", "forward"), *(command(program, bag, "mneme", which) for which in PASSES)])
        lines = [row(["pass", "mneme", "time / reading", "peak resident memory of the process"]), row(["---"] * 4)]
        for name, result in zip(PASSES.values(), ours):
            lines.append(row([name, f"{result['seconds']:.3g} s", f"{result['seconds'] / reading['seconds']:.2f}x",
                              as_memory(result["resident"])]))
        return lines


def row(texts):
    return "| " + " | ".join(texts) + " |"


def main():
    program = sys.argv[1]
    columns = ["pass", "mneme", "plain", "SDPA", "memory of mneme", "memory of plain", "memory of SDPA"]
    rows, machine = [], None
    for head, updates, times in ASSOCIATIONS:
        for which in PASSES:
            results = with_peers(program, f"association:{head}:{updates}:{times}", which)
            machine = machine or results[0]
            rows.append(row([str(head), str(updates), f"{times}x", *cells(*results, which)]))
    masked = [row([MASKS[kind], str(head), str(updates), *cells(*with_peers(program, f"{kind}:{head}:{updates}:1", which), which)])
              for kind, head, updates in MASKED for which in PASSES]
    bags = []
    for count, features, times in BAGS:
        shape = f"pooling:{count}:{features}:{times}"
        commands = [command(program, shape, implementation, which) for which in PASSES for implementation in IMPLEMENTATIONS]
        reading, *results = in_turns([command(program, shape, "read", "forward"), *commands])
        for i, which in enumerate(PASSES):
            of_pass = results[i * len(IMPLEMENTATIONS):(i + 1) * len(IMPLEMENTATIONS)]
            bags.append(row([f"{count} x {features}", f"{times}x", *cells(*of_pass, which),
                             f"{of_pass[0]['seconds'] / reading['seconds']:.2f}x"]))
    print(f"CPU: {machine['cpu']}, {machine['isa']}, {THREADS} threads, float32. Peers are LibTorch {machine['torch']} with the same "
          "number of threads. Plain computes the association matrices in memory, as the original does (but without the copies that the "
          "original makes of them); SDPA is a chain of scaled_dot_product_attention calls with the same norms and projections. Ratios "
          "are the time or memory of the peer divided by that of mneme. Memory is the peak resident memory above the inputs, including "
          f"gradients. The convergence threshold is so small that all updates are computed. {REPETITIONS}\n")
    print("Layer with 4 heads and 64 features, 8 batches of 1024 state patterns and 1024 stored patterns, gradients of inputs and "
          "parameters:\n")
    print("\n".join([row(["head size", "updates", "beta", *columns]), row(["---"] * (len(columns) + 3)), *rows]))
    print("\nThe same layer with a key padding mask (a third of the patterns on average), a causal mask, an attention bias (added to all "
          "scores), or dropout with probability 0.1:\n")
    print("\n".join([row(["mask", "head size", "updates", *columns]), row(["---"] * (len(columns) + 3)), *masked]))
    print("\nPooling of a bag with one learned state pattern, gradients of the parameters. The last column is the time divided by that "
          "of only reading the bag:\n")
    print("\n".join([row(["bag", "beta", *columns, "time / reading"]), row(["---"] * (len(columns) + 3)), *bags]))
    print(f"\nPooling of a bag of {FILE_ROWS} x {FILE_FEATURES} that is read from a file of {4 * FILE_ROWS * FILE_FEATURES / 1e9:.3g} GB:\n")
    print("\n".join(file_rows(program)))


if __name__ == "__main__":
    main()
