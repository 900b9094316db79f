# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: Hopfield layers beside plain LibTorch and scaled_dot_product_attention, time and memory.

hopfield_section.py PROGRAM    PROGRAM is hopfield_benchmark; each measurement is a process of its own
"""

import json
import os
import subprocess
import sys

THREADS = min(2, os.cpu_count())
PASSES = {"forward": "forward", "backward": "and backward"}
HOWS = ["mneme", "plain", "sdpa"]
# head size, updates, multiple of the default beta
ASSOCIATIONS = [(16, 0, 1), (16, 1, 1), (16, 5, 1), (16, 1, 20), (16, 1, 1000), (32, 1, 1), (64, 0, 1), (64, 1, 1), (64, 5, 1)]
# rows, features, multiple of the default beta
BAGS = [(10_000, 32, 1), (100_000, 32, 1), (300_000, 32, 1), (300_000, 32, 20), (300_000, 32, 1000), (100_000, 512, 1)]


def measured(program, shape, how, which):
    print(f"  {shape}, {how}, {which}", file=sys.stderr, flush=True)
    output = subprocess.run([program, shape, how, which, str(THREADS)], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def as_memory(size):
    return f"{size / 2**20:.3g} MiB"


def cells(program, shape, which):
    ours, plain, sdpa = (measured(program, shape, how, which) for how in HOWS)
    ratio = {name: peer["seconds"] / ours["seconds"] for name, peer in [("plain", plain), ("sdpa", sdpa)]}
    # Under one page the system has nothing to tell.
    memory = plain["memory"] / max(ours["memory"], 4096)
    return ours, [PASSES[which], f"{1e3 * ours['seconds']:.3g} ms", f"{ratio['plain']:.1f}x", f"{ratio['sdpa']:.2f}x",
                  as_memory(ours["memory"]), f"{memory:.0f}x", as_memory(sdpa["memory"])]


def row(texts):
    return "| " + " | ".join(texts) + " |"


def main():
    program = sys.argv[1]
    rows, first = [], None
    columns = ["pass", "mneme", "plain", "SDPA", "memory of mneme", "of plain", "of SDPA"]
    for head, updates, times in ASSOCIATIONS:
        for which in PASSES:
            ours, texts = cells(program, f"association:{head}:{updates}:{times}", which)
            first = first or ours
            rows.append(row([str(head), str(updates), f"{times}x", *texts]))
    bags = []
    for count, features, times in BAGS:
        shape = f"pooling:{count}:{features}:{times}"
        reading = measured(program, shape, "read", "forward")["seconds"]
        for which in PASSES:
            ours, texts = cells(program, shape, which)
            bags.append(row([f"{count} x {features}", f"{times}x", *texts, f"{ours['seconds'] / reading:.2f}x"]))
    print(f"CPU: {first['cpu']}, {first['isa']}, {THREADS} threads, float32. Peers are LibTorch {first['torch']} on the same "
          "threads: plain keeps its associations, as the original does (but not the copies that it makes of them); SDPA is a chain of "
          "scaled_dot_product_attention with the same norms and projections. Ratios say how many times as long, or as much memory, "
          "the other takes. Memory is the most that was resident above the inputs, gradients included. All updates are made.\n")
    print("A layer of 4 heads and 64 features, 8 batches of 1024 states that look up 1024 patterns, gradients of inputs and "
          "parameters:\n")
    print("\n".join([row(["head size", "updates", "beta", *columns]), row(["---"] * (len(columns) + 3)), *rows]))
    print("\nPooling of a bag by one learnt state, gradients of the parameters; beside it the time that it takes only to read "
          "the bag:\n")
    print("\n".join([row(["bag", "beta", *columns, "of reading"]), row(["---"] * (len(columns) + 3)), *bags]))


if __name__ == "__main__":
    main()
