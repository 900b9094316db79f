# SPDX-License-Identifier: MIT
"""Compares time and memory of training a projection in mneme and in PyTorch, and prints Markdown.

python benchmarks/projection_training.py PROGRAM [--images t10k-images-idx3-ubyte.gz] [--keys 60000] ...
PROGRAM is projection_training, which is built with the benchmarks. Without --images, random images as sparse as digits are used.
"""

import argparse
import gzip
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

SIDE, SIZE, BATCH = 28, 784, 128


def make_images(torch, path, count, source):
    """Writes `count` images as bytes: the source images, repeated with different shifts by one pixel."""
    if source:
        data = (gzip.open if source.endswith(".gz") else open)(source, "rb").read()[16:]
        images = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(-1, SIDE, SIDE)
    else:
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (10000, SIDE, SIDE), dtype=torch.uint8, generator=generator)
        images *= torch.rand(images.shape, generator=generator) < 0.19
        images[:, 0, 0] = 255  # no image is empty
    shifts = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]
    rounds = -(-count // len(images))
    shifted = [images.roll(shifts[i % len(shifts)], (1, 2)) for i in range(rounds)]
    path.write_bytes(bytes(torch.cat(shifted)[:count].reshape(-1).untyped_storage()))


def peer(path, steps, threads, radius_beta):
    """The published training loop in PyTorch: images as floats, all keys in every step, autograd through everything."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    at_start = peak_memory()
    keys = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(-1, SIZE).float() / 255
    matrix = torch.randn(64, SIZE, requires_grad=True)
    adam = torch.optim.Adam([matrix], lr=0.005)

    def encode(patterns):
        projected = patterns @ matrix.T
        return projected / projected.norm(dim=1, keepdim=True)

    seconds = []
    for step in range(steps):
        begin = time.perf_counter()
        first = step * BATCH % (len(keys) - BATCH)
        targets = keys[first : first + BATCH]
        cosine = 1 - 2 * (10 + 90 * torch.rand(BATCH, 1)) / SIZE
        length = targets.norm(dim=1, keepdim=True)
        u, v = targets / length, 2 * torch.rand(BATCH, SIZE) - 1
        w = v - (v * u).sum(1, keepdim=True) * u
        queries = (cosine * u + (1 - cosine**2).sqrt() * w / w.norm(dim=1, keepdim=True)) * length
        weights = torch.softmax(radius_beta * (encode(queries) @ encode(keys).T), 1)
        loss = (weights @ keys - targets).square().sum() / BATCH
        adam.zero_grad()
        loss.backward()
        adam.step()
        seconds.append(time.perf_counter() - begin)
    print(
        json.dumps(
            {
                "seconds_per_step": statistics.median(seconds),
                "memory_at_start": at_start,
                "memory_peak": peak_memory(),
                "loss": loss.item(),
                "torch": torch.__version__,
            }
        )
    )


def peak_memory():
    """Peak resident memory of this process in bytes; getrusage would include the parent process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="projection_training")
    parser.add_argument("--images", help="MNIST images (.idx or .gz)")
    parser.add_argument("--keys", type=int, default=60000)
    parser.add_argument("--steps", type=int, default=9, help="steps per run; the median is reported")
    parser.add_argument("--runs", type=int, default=3, help="alternating runs of both sides; the median is reported")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    beta = 15.852765236405924  # Hamming radius 11 at 64 bits, the default of the program
    if options.peer:
        peer(options.peer, options.steps, options.threads, beta)
        return

    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images"
        make_images(torch, path, options.keys, options.images)
        shape = [str(options.steps), str(options.threads)]
        ours, theirs = [], []
        for _ in range(options.runs):
            theirs.append(run([sys.executable, __file__, "-", "--peer", path, "--steps", shape[0], "--threads", shape[1]]))
            ours.append(run([options.program, path, str(SIZE), *shape]))

    def median(runs, value):
        return statistics.median(value(one) for one in runs)

    steps = -(-options.keys // BATCH)
    rows = [
        ("time per step, s", lambda one: one["seconds_per_step"]),
        (f"time per epoch ({steps} steps), s", lambda one: steps * one["seconds_per_step"]),
        ("peak memory, MB", lambda one: one["memory_peak"] / 1e6),
        ("peak memory without loaded libraries, MB", lambda one: (one["memory_peak"] - one["memory_at_start"]) / 1e6),
    ]
    print(
        f"{options.keys} keys of {SIZE} pixels, batch {BATCH}, 64 dimensions, float32, "
        f"{options.threads} threads, {ours[0]['cpu']}, {ours[0]['isa']}, median of {options.runs} runs.\n"
    )
    print(f"| | PyTorch {theirs[0]['torch']} | mneme | ratio |\n| --- | ---: | ---: | ---: |")
    for name, value in rows:
        a, b = median(theirs, value), median(ours, value)
        print(f"| {name} | {a:.4g} | {b:.4g} | {a / b:.2f} |")


if __name__ == "__main__":
    main()
