# SPDX-License-Identifier: MIT
"""Prints Markdown for RESULTS.md: training time of small models, compared with Python PyTorch.

training_section.py PROGRAM    PROGRAM is training_benchmark; both sides train on the same kind of data, with the same epochs
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests/golden/attention"))
import plain_torch  # noqa: E402

LENGTH, SAMPLES, REPEATS = 17, 200, 3


def seconds_of_python(make_model, epochs, learning_rate, threads):
    torch.set_num_threads(threads)
    times = []
    for seed in range(REPEATS):
        torch.manual_seed(seed)
        bits = (torch.rand(SAMPLES, LENGTH) < 0.5 ** 0.5).long()
        labels = torch.where(bits[:, -1] == 0, bits[:, 3] & bits[:, 8], bits[:, 5] & bits[:, 12]).float()
        begin = time.perf_counter()
        plain_torch.train(make_model(), bits, labels, epochs, learning_rate)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def seconds_of_ours(program):
    """{(model, is_many_seeds): seconds per seed}, and the number of threads used for many seeds."""
    command = [program, "--benchmark_format=json", f"--benchmark_repetitions={REPEATS}",
               "--benchmark_report_aggregates_only=true"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times, threads = {}, 1
    for row in json.loads(output)["benchmarks"]:
        if row["aggregate_name"] == "median":
            model, seeds, with_threads = row["run_name"].split("/")[:3]
            threads = max(threads, int(with_threads.split(":")[1]))
            times[model.removeprefix("BM_"), seeds != "seeds:1"] = 1 / row["items_per_second"]
    return times, threads


def main():
    ours, threads = seconds_of_ours(sys.argv[1])
    models = {"self_attention": ("self-attention, 2000 epochs", lambda: plain_torch.SelfAttention(LENGTH, 2), 2000, 1e-2),
              "mlp": ("MLP of 512, 500 epochs", lambda: plain_torch.BinaryMLP(LENGTH, 512, 0.1), 500, 1e-3)}
    print(f"Time per seed for T = {LENGTH} and {SAMPLES} samples. Python is PyTorch {torch.__version__} in float32, the faster of "
          f"one and {threads} threads. mneme uses float64, and float32 for the MLP, with one seed on one thread and with many seeds on "
          f"{threads} threads. Ratios are the time of Python divided by that of mneme.\n")
    print("| model | Python | mneme, one seed | ratio | mneme, many seeds | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for key, (name, make_model, epochs, rate) in models.items():
        python = min(seconds_of_python(make_model, epochs, rate, count) for count in sorted({1, threads}))
        single, many = ours[key, False], ours[key, True]
        print(f"| {name} | {python:.3g} s | {single:.3g} s | {python / single:.1f} | {many:.3g} s | {python / many:.1f} |")


if __name__ == "__main__":
    main()
