# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: linear layers on the kernel compared with LibTorch (MKL) and oneDNN, and LEAP layers with both.

linear_section.py PROGRAM    PROGRAM is linear_costs; machine_benchmark, which measures the limit, is in the same folder
"""
import json
import os
import pathlib
import subprocess
import sys

from turns import measured

# rows, inner, outputs
SHAPES = [(4096, 256, 1024), (4096, 1024, 256), (4096, 256, 8192), (4096, 512, 2048), (1024, 256, 256), (768, 64, 192), (768, 128, 512),
          (64, 64, 64), (12, 128, 384), (1, 256, 1024)]
PRODUCTS = {"forward": "forward", "input_gradient": "input gradient", "weight_gradient": "weight gradient"}
LAYERS = {"leap_layer": "LEAP layer", "leap_block": "LEAP block"}
TOKENS = [1024, 4096, 16384]
THREADS = [1] + ([2] if os.cpu_count() > 1 else [])


def operations_per_second(folder):
    """Floating-point operations of one core, two for each multiply-add."""
    output = subprocess.run([folder / "machine_benchmark", "--benchmark_filter=multiply_adds_float", "--benchmark_format=json",
                             "--benchmark_repetitions=9"], check=True, capture_output=True, text=True).stdout
    return 2 * max(row["items_per_second"] for row in json.loads(output)["benchmarks"] if row["run_type"] == "iteration")


def as_time(seconds):
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} us"


def products(program, limit):
    print("| rows, inner, outputs |  | threads | mneme, GFLOP/s | fraction of the limit | LibTorch, GFLOP/s | ratio | oneDNN, GFLOP/s | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for shape in SHAPES:
        operations = 2 * shape[0] * shape[1] * shape[2]
        for threads in THREADS:
            row = measured([program, "linear", *shape, threads])
            for product, title in PRODUCTS.items():
                ours = row[product + "_kernel"]
                cells = [", ".join(map(str, shape)), title, str(threads), f"{operations / ours / 1e9:.3g}",
                         f"{operations / ours / limit / threads:.0%}"]
                for peer in ["libtorch", "onednn"]:
                    seconds = row.get(f"{product}_{peer}")
                    cells += [f"{operations / seconds / 1e9:.3g}", f"{seconds / ours:.2f}x"] if seconds else ["-", "-"]
                print("| " + " | ".join(cells) + " |", flush=True)


def layers(program):
    print("| layer | tokens | threads | forward | with LibTorch | ratio | forward + backward | with LibTorch | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for layer, title in LAYERS.items():
        for tokens in TOKENS:
            for threads in THREADS:
                row = measured([program, layer, tokens, threads])
                cells = [title, str(tokens), str(threads)]
                for pass_ in ["forward", "training"]:
                    ours, libtorch = row[pass_ + "_kernel"], row[pass_ + "_libtorch"]
                    cells += [as_time(ours), as_time(libtorch), f"{libtorch / ours:.2f}x"]
                print("| " + " | ".join(cells) + " |", flush=True)


def main():
    program = pathlib.Path(sys.argv[1])
    limit = operations_per_second(program.parent)
    machine = measured([program, "linear", 8, 8, 8, 1])
    print(f"CPU: {machine['cpu']}, {machine['isa']}. Limit: {limit / 1e9:.3g} GFLOP/s per core, measured by independent multiply-adds. "
          "Peers: at::linear (MKL) and mkldnn::_linear_pointwise (oneDNN) of the same LibTorch. All contenders run in turns in one "
          "process, and the fastest call counts. float32.\n")
    products(program, limit)
    print("\nLEAP layer and block (with its feed-forward layer of 2048 units) of 512 features and 8 heads, one sequence; all linear layers "
          "on the kernel, or on LibTorch:\n")
    layers(program)


if __name__ == "__main__":
    main()
