# SPDX-License-Identifier: MIT
"""Times the exact binary index of faiss-cpu at the shapes of hamming_benchmark on one thread; prints JSON like Google Benchmark."""
import json
import statistics
import sys
import time

import faiss
import numpy

REPETITIONS = 7


def seconds_of(step):
    step()
    times = []
    for _ in range(REPETITIONS):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main():
    faiss.omp_set_num_threads(1)
    draws = numpy.random.default_rng(1)
    benchmarks = []
    for queries, stored, bits in [(1, 100000, 1000), (64, 100000, 1000), (64, 1024, 784)]:
        size = (bits + 7) // 8
        patterns = draws.integers(0, 256, (stored, size), dtype=numpy.uint8)
        cues = draws.integers(0, 256, (queries, size), dtype=numpy.uint8)
        index = faiss.IndexBinaryFlat(size * 8)
        index.add(patterns)
        # A small radius, as in sparse distributed memory, with few results, so that the scan dominates the time.
        seconds = seconds_of(lambda: index.range_search(cues, bits * 451 // 1000))
        benchmarks.append({
            "name": f"BM_hamming/queries:{queries}/stored:{stored}/bits:{bits}",
            "real_time": seconds * 1e9,
            "items_per_second": queries * stored / seconds,
            "label": f"faiss-cpu {faiss.__version__}, range_search",
        })
    json.dump({"benchmarks": benchmarks}, sys.stdout)


main()
