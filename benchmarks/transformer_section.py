# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: GPT-2 of the size of gpt2-small, compared with the Python library transformers, and int8 weights.

transformer_section.py PROGRAM [FOLDER]    PROGRAM is transformer_costs, with machine_benchmark in the same folder; FOLDER a GPT-2 model
                                           (default: one with random weights)
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from language_section import limits
from make_gpt2_checkpoint import write_checkpoint
from turns import REPETITIONS, in_turns

PEER = pathlib.Path(__file__).parent / "transformer_peer.py"
CASES = [("forward", 64), ("forward", 195), ("forward", 1024), ("decode", 64), ("decode", 900)]
INT8_CASES = [("decode", 64, 1), ("decode", 900, 1), ("decode", 64, 2), ("forward", 195, 1)]
THREADS = min(2, os.cpu_count())
TOLERANCE = 2e-3  # of logits: both are in float32


def rows(program, folder):
    for what, tokens in CASES:
        ours, peer = in_turns([[program, what, folder, tokens, THREADS], [sys.executable, PEER, what, folder, tokens, THREADS]])
        error = max(abs(a - b) for a, b in zip(ours["logits"], peer["logits"]))
        if error > TOLERANCE:
            sys.exit(f"transformer_section.py: logits of {what} {tokens} differ by {error}: {ours['logits']}, {peer['logits']}")
        name = f"forward, {tokens} tokens" if what == "forward" else f"token after {tokens} tokens"
        print(f"| {name} | {1e3 * ours['seconds']:.3g} ms | {1e3 * peer['seconds']:.3g} ms | {peer['seconds'] / ours['seconds']:.2f}x |", flush=True)


def int8_rows(program, folder):
    bandwidth = limits(program.parent)[1]
    print("\nThe same model with float32 and with int8 weights (`--weights int8`). The fraction of the bandwidth is that of the weights and the "
          f"state that a token reads, at {bandwidth / 1e9:.3g} GB/s, on one thread.\n")
    print("| | threads | float32 | fraction of the bandwidth | int8 | fraction of the bandwidth | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for what, tokens, threads in INT8_CASES:
        if threads > os.cpu_count():
            continue
        command = [program, what, folder, tokens, threads]
        both = in_turns([command, [*command, "int8"]])
        name = f"forward, {tokens} tokens" if what == "forward" else f"token after {tokens} tokens"
        cells = [name, str(threads)]
        for row in both:
            is_limited = what == "decode" and threads == 1
            cells += [f"{1e3 * row['seconds']:.3g} ms", f"{row['bytes'] / row['seconds'] / bandwidth:.0%}" if is_limited else "-"]
        print("| " + " | ".join([*cells, f"{both[0]['seconds'] / both[1]['seconds']:.2f}x"]) + " |", flush=True)


def main():
    program = pathlib.Path(sys.argv[1])
    versions = subprocess.run([sys.executable, "-c", "import torch, transformers; print(f'transformers {transformers.__version__}, PyTorch {torch.__version__}')"],
                              check=True, capture_output=True, text=True).stdout.strip()
    print(f"GPT-2 with 12 layers of 12 heads, width 768, 50257 tokens, one text, float32, {THREADS} threads, with logits of all tokens; {versions}. The fastest "
          f"of several calls is reported. {REPETITIONS} The logits of both agree within {TOLERANCE}.\n")
    print("| | mneme | transformers | ratio |")
    print("| --- | ---: | ---: | ---: |", flush=True)
    if len(sys.argv) > 2:
        rows(program, pathlib.Path(sys.argv[2]))
        int8_rows(program, pathlib.Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(folder)
        rows(program, pathlib.Path(folder))
        int8_rows(program, pathlib.Path(folder))


if __name__ == "__main__":
    main()
