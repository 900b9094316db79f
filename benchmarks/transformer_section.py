# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: GPT-2 of the size of gpt2-small, compared with the Python library transformers.

transformer_section.py PROGRAM [FOLDER]    PROGRAM is transformer_costs; FOLDER a GPT-2 model (default: one with random weights)
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from make_gpt2_checkpoint import write_checkpoint
from turns import REPETITIONS, in_turns

PEER = pathlib.Path(__file__).parent / "transformer_peer.py"
CASES = [("forward", 64), ("forward", 195), ("forward", 1024), ("decode", 64), ("decode", 900)]
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
        return
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(folder)
        rows(program, pathlib.Path(folder))


if __name__ == "__main__":
    main()
