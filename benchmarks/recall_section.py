# SPDX-License-Identifier: MIT
"""Recall and search next to faiss and torch-hd at the same shapes, in turns, as Markdown: recall_section.py PROGRAM [KIND...]

With kinds (bits, reals, sdm), only these are measured.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import faiss
import numpy
import torch
import torchhd

from machine import cpu_model

SHAPES = {"bits": [(10_000, 1024), (100_000, 256), (1_000_000, 1024)], "reals": [(10_000, 128), (10_000, 1024)],
          "sdm": [(250_000, 1000), (1_000_000, 1000)]}
TORCHHD_MAX = 250_000  # locations, whose addresses and counters take 2 GB there
TURNS = 3
SECONDS_MAX = 2
RUNS_MIN, RUNS_MAX = 5, 25


def seconds_of(call):
    call()
    times = []
    while len(times) < RUNS_MIN or (len(times) < RUNS_MAX and sum(times) < SECONDS_MAX):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def faiss_times(kind, stored, size, threads):
    """{(name of our row, queries): seconds}"""
    faiss.omp_set_num_threads(threads)
    draws = numpy.random.default_rng(1)
    times = {}
    if kind == "bits":
        patterns = draws.integers(0, 256, (stored, size // 8), dtype=numpy.uint8)
        index = faiss.IndexBinaryFlat(size)
        index.add(patterns)
        for queries in (1, 64):
            cues = patterns[stored // 2:stored // 2 + queries].copy()
            cues[:, :size // 80] ^= 255
            one = seconds_of(lambda: index.search(cues, 1))
            radius = seconds_of(lambda: index.range_search(cues, size * 451 // 1000))
            times |= {("search, 1 neighbour", queries): one, ("best match", queries): one,
                      ("search, 10 neighbours", queries): seconds_of(lambda: index.search(cues, 10)),
                      ("search within a radius", queries): radius, ("within a radius", queries): radius}
        return times
    patterns = draws.standard_normal((stored, size), dtype=numpy.float32)
    for name, index in [("dot, best match", faiss.IndexFlatIP(size)), ("euclidean, best match", faiss.IndexFlatL2(size))]:
        index.add(patterns)
        for queries in (1, 64):
            cues = patterns[stored // 2:stored // 2 + queries].copy()
            times[name, queries] = seconds_of(lambda index=index, cues=cues: index.search(cues, 1))
    return times


def torchhd_times(stored, size, threads):
    """{(name of our row, queries): seconds} of its memory with hard locations, which activates the same fraction of them."""
    if stored > TORCHHD_MAX:
        return {}
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    memory = torchhd.memory.SparseDistributed(stored, size, size, p=0.00107)
    memory.values.data.zero_()
    patterns = torchhd.random(64, size)
    times = {}
    with torch.no_grad():
        for queries in (1, 64):
            some = patterns[:queries]
            times |= {("write", queries): seconds_of(lambda: memory.write(some, some)), ("read", queries): seconds_of(lambda: memory.read(some))}
    return times


def peer_times(kind, stored, size, threads):
    return torchhd_times(stored, size, threads) if kind == "sdm" else faiss_times(kind, stored, size, threads)


def our_times(program, kind, stored, size, threads):
    output = subprocess.run([program, kind, str(stored), str(size), str(threads)], check=True, capture_output=True, text=True).stdout
    return {(row["name"], row["queries"]): row["seconds"] for row in json.loads(output)}


def medians(tables):
    return {key: statistics.median(table[key] for table in tables) for key in tables[0]}


def as_time(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def main():
    program = pathlib.Path(sys.argv[1])
    print(f"CPU: {cpu_model()}. Peers: torch-hd {torchhd.__version__} (SparseDistributed) for memories with hard locations (sdm); "
          f"faiss-cpu {faiss.__version__} (IndexBinaryFlat, IndexFlatIP, IndexFlatL2), which returns indices; "
          "rows without a ratio have no counterpart there. Recall also projects: it returns the stored pattern, or the weighted average. "
          "The read of all patterns is a sum over their words, the limit of a search by one query. "
          f"Random patterns; cues have a tenth of their bits flipped, or noise of 0.1. Medians of {TURNS} turns.")
    for kind, shapes in SHAPES.items():
        if sys.argv[2:] and kind not in sys.argv[2:]:
            continue
        peer = "torch-hd" if kind == "sdm" else "faiss"
        print(f"\n| {kind} | queries | 1 thread | {peer} | ratio | 2 threads | {peer} | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for stored, size in shapes:
            columns = []
            for threads in (1, 2):
                turns = [(our_times(program, kind, stored, size, threads), peer_times(kind, stored, size, threads)) for _ in range(TURNS)]
                columns.append((medians([ours for ours, _ in turns]), medians([peer for _, peer in turns])))
            for name, queries in columns[0][0]:
                cells = []
                for ours, of_peer in columns:
                    theirs = of_peer.get((name, queries))
                    cells += [as_time(ours[name, queries]), as_time(theirs) if theirs else "-",
                              f"{theirs / ours[name, queries]:.2f}x" if theirs else "-"]
                print(f"| {stored} x {size}: {name} | {queries} | " + " | ".join(cells) + " |", flush=True)


main()
