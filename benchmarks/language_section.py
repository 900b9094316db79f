# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: training steps of language models compared with PyTorch, and their rate of generation.

language_section.py PROGRAM    PROGRAM is language_costs; machine_benchmark, which measures the limits, is in the same folder
"""
import itertools
import json
import os
import pathlib
import subprocess
import sys

from turns import REPETITIONS, in_turns, measured

PEER = pathlib.Path(__file__).parent / "language_peer.py"
NAMES = {"gpt2": "GPT-2 style", "leap": "LEAP"}
VOCABULARIES = [256, 8192]
PRECISIONS = ["float32", "bfloat16"]
LAYERS, WIDTH, LENGTH, ROWS = 4, 256, 512, 8  # as in language_costs and language_peer
POSITIONS = [1_000, 16_000]
STEPS = 4
THREADS = min(2, os.cpu_count())


def limits(folder):
    """Floating-point operations (two for each multiply-add) and bytes read per second of one core."""
    output = subprocess.run([folder / "machine_benchmark", "--benchmark_filter=multiply_adds_float|read_bytes", "--benchmark_format=json",
                             "--benchmark_repetitions=5"], check=True, capture_output=True, text=True).stdout
    rows = [row for row in json.loads(output)["benchmarks"] if row["run_type"] == "iteration"]
    best = {name: max(row["items_per_second"] for row in rows if name in row["name"]) for name in ["multiply_adds", "read_bytes"]}
    return 2 * best["multiply_adds"], best["read_bytes"]


def operations(model, vocabulary):
    """Of a training step: products of the linear layers and the logits, and of causal attention; backward takes twice as many as forward."""
    tokens = ROWS * LENGTH
    forward = 2 * tokens * (12 * LAYERS * WIDTH**2 + vocabulary * WIDTH)
    if model == "gpt2":
        forward += 2 * 2 * ROWS * LAYERS * WIDTH * LENGTH**2 / 2
    return 3 * forward


def compiled(command):
    """Of a process with torch.compile; None if it cannot compile here."""
    try:
        return measured(command)
    except subprocess.CalledProcessError as error:
        print("  torch.compile: " + error.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None


def training(program, limit):
    print("| model | vocabulary | products | mneme | PyTorch | ratio | torch.compile | ratio | fraction of the limit | memory of mneme | of PyTorch | "
          "ratio |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for model, vocabulary, precision in itertools.product(NAMES, VOCABULARIES, PRECISIONS):
        settings = [model, vocabulary, precision, THREADS, STEPS]
        peer = [sys.executable, PEER, *settings]
        ours, eager = in_turns([[program, "train", *settings], [*peer, "eager"]])
        faster = compiled([*peer, "compile"])
        cells = [NAMES[model], str(vocabulary), precision, f"{ours['seconds']:.3g} s", f"{eager['seconds']:.3g} s",
                 f"{eager['seconds'] / ours['seconds']:.2f}x"]
        cells += [f"{faster['seconds']:.3g} s", f"{faster['seconds'] / ours['seconds']:.2f}x"] if faster else ["-", "-"]
        cells += [f"{operations(model, vocabulary) / ours['seconds'] / limit / THREADS:.0%}", f"{ours['memory'] / 1e6:.0f} MB",
                  f"{eager['memory'] / 1e6:.0f} MB", f"{ours['memory'] / eager['memory']:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def decoding(program, bandwidth):
    print("| model | position | time per token | weights and state | read per second | fraction of the bandwidth |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for model, name in NAMES.items():
        for position in POSITIONS:
            row = measured([program, "decode", model, position, 1])
            rate = row["bytes"] / row["seconds"]
            print(f"| {name} | {position:,} | {1e3 * row['seconds']:.3g} ms | {row['bytes'] / 1e6:.0f} MB | {rate / 1e9:.3g} GB/s | "
                  f"{rate / bandwidth:.0%} |".replace(",", " "), flush=True)


def main():
    program = pathlib.Path(sys.argv[1])
    arithmetic, bandwidth = limits(program.parent)
    torch = subprocess.run([sys.executable, "-c", "import torch; print(torch.__version__)"], check=True, capture_output=True, text=True).stdout.strip()
    print(f"Training steps with AdamW of {LAYERS} layers of width {WIDTH} with 4 heads, on {ROWS} rows of {LENGTH} random tokens, "
          f"{THREADS} threads; PyTorch {torch} with fused AdamW and scaled_dot_product_attention, LEAP by cumulative sums as published. Parameters are "
          f"float32; products in bfloat16 are those of `--precision bfloat16`, and of torch.autocast in PyTorch. Peak memory is that of the process, with its libraries. {REPETITIONS} torch.compile runs once. The limit is {arithmetic / 1e9:.3g} GFLOP/s per thread, of float32 "
          "multiply-adds in registers, for the products of linear layers, logits and attention. Ratios are time of PyTorch / time of mneme, and memory of "
          "mneme / memory of PyTorch.\n")
    training(program, arithmetic)
    print(f"\nGeneration of one text, token by token, one thread: 6 layers of width 512, vocabulary 8192. Each token reads all weights and the "
          f"state. The fastest of 40 tokens is reported; the bandwidth is {bandwidth / 1e9:.3g} GB/s.\n")
    decoding(program, bandwidth)


if __name__ == "__main__":
    main()
