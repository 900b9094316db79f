# SPDX-License-Identifier: MIT
"""Top 5 and all codes within a radius, for 10 000 noisy queries of 50 000 codes of 256 bits with ids: mneme from C++ and from the
command line next to faiss-cpu (IndexBinaryFlat), in turns. Stops if an answer differs.

    python nearest_codes.py BUILD_FOLDER [THREADS]
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

import turns

CODES, QUERIES, BITS, FLIPS, TOP, RADIUS = 50000, 10000, 256, 70, 5, 95

FAISS = """
import json, resource, sys, time
import faiss, numpy
codes, queries, kind, limit, threads, result = sys.argv[1:]
limit = int(limit)
faiss.omp_set_num_threads(int(threads))
codes, queries = numpy.load(codes), numpy.load(queries)
index = faiss.IndexBinaryFlat(8 * codes.shape[1])
index.add(codes)
seconds = []
for _ in range(3):
    begin = time.perf_counter()
    if kind == "top":
        distances, indices = index.search(queries, limit)
        offsets = numpy.arange(len(queries) + 1) * limit
    else:  # faiss counts distances below the radius
        offsets, distances, indices = index.range_search(queries, limit + 1)
    seconds.append(time.perf_counter() - begin)
with open(result, "wb") as file:
    for part, dtype in (offsets, "int64"), (indices, "int64"), (distances, "int32"):
        file.write(numpy.ascontiguousarray(part).astype(dtype).tobytes())
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": min(seconds), "found": int(offsets[-1]), "peak_bytes": peak}))
"""

# The command line: from the start of the process to its last line.
PROGRAM = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
with open(sys.argv[1], "wb") as out:
    subprocess.run(sys.argv[2:], stdout=out, check=True)
seconds = time.perf_counter() - begin
peak = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"seconds": seconds, "peak_bytes": peak}))
"""


def answers(path):
    data = path.read_bytes()
    offsets = numpy.frombuffer(data, "int64", QUERIES + 1)
    found = int(offsets[-1])
    indices = numpy.frombuffer(data, "int64", found, offsets.nbytes)
    distances = numpy.frombuffer(data, "int32", found, offsets.nbytes + indices.nbytes)
    return offsets, indices, distances


def compare(path, other, kind):
    """Equal answers in any order of equal distances. Of a tie at the last place of the top, either may be returned."""
    (offsets, indices, distances), (other_offsets, other_indices, other_distances) = answers(path), answers(other)
    assert (offsets == other_offsets).all(), "different numbers of answers"
    for begin, end in zip(offsets[:-1], offsets[1:]):
        ours = sorted(zip(distances[begin:end], indices[begin:end]))
        theirs = sorted(zip(other_distances[begin:end], other_indices[begin:end]))
        last = ours[-1][0] if kind == "top" else None
        assert [d for d, _ in ours] == [d for d, _ in theirs], "different distances"
        assert [pair for pair in ours if pair[0] != last] == [pair for pair in theirs if pair[0] != last], "different codes"


def compare_lines(path, result):
    offsets, indices, distances = answers(result)
    with open(path, encoding="utf-8") as lines:
        for query, line in enumerate(lines):
            begin, end = offsets[query], offsets[query + 1]
            nearest = json.loads(line)["nearest"]
            assert [found["seq"] for found in nearest] == indices[begin:end].tolist()
            assert [found["distance"] for found in nearest] == distances[begin:end].tolist()
            assert [found["payload"] for found in nearest] == [str(7 * index + 1000000) for index in indices[begin:end]]
    assert query == QUERIES - 1


def main():
    build, threads = pathlib.Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "2"
    mneme, program = build / "bin/mneme", build / "benchmarks/nearest_codes"
    random = numpy.random.default_rng(1)
    codes = random.integers(0, 256, (CODES, BITS // 8), dtype=numpy.uint8)
    queries = numpy.unpackbits(codes[:QUERIES], axis=1)
    for query in queries:
        query[random.choice(BITS, FLIPS, replace=False)] ^= 1
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        numpy.save(folder / "codes.npy", codes)
        numpy.save(folder / "queries.npy", numpy.packbits(queries, axis=1))
        numpy.save(folder / "ids.npy", 7 * numpy.arange(CODES) + 1000000)
        for command in (["create", folder / "memory", "--bits", BITS],
                        ["write", folder / "memory", "--patterns", folder / "codes.npy", "--packed", "big", "--payloads",
                         folder / "ids.npy"],
                        ["export", folder / "memory", "--out", folder / "memory.safetensors"]):
            subprocess.run([str(part) for part in [mneme, "memory", *command]], check=True, stdout=subprocess.DEVNULL)
        (folder / "search_with_faiss.py").write_text(FAISS, encoding="utf-8")
        (folder / "run_program.py").write_text(PROGRAM, encoding="utf-8")
        memory, cues = folder / "memory.safetensors", folder / "queries.npy"
        print("| search | program | seconds | times faiss | peak memory, MB |\n| --- | --- | --- | --- | --- |")
        for kind, limit in ("top", TOP), ("within", RADIUS):
            ours, lines, theirs = folder / "ours", folder / "lines", folder / "theirs"
            results = turns.in_turns([
                [program, memory, cues, kind, limit, threads, ours],
                [sys.executable, folder / "run_program.py", lines, mneme, "memory", "read", memory, "--patterns", cues, "--packed", "big",
                 f"--{kind}", limit, "--no-recall", "--json", "--threads", threads],
                [sys.executable, folder / "search_with_faiss.py", folder / "codes.npy", cues, kind, limit, threads, theirs]])
            compare(ours, theirs, kind)
            compare_lines(lines, ours)
            for program_name, result in zip(("C++", "command line, with start and output", "faiss-cpu"), results):
                print(f"| {kind} {limit} | {program_name} | {result['seconds']:.3f} | {result['seconds'] / results[2]['seconds']:.2f} | "
                      f"{result['peak_bytes'] / 1e6:.0f} |")
        print(f"\nAll answers are equal: {CODES} codes of {BITS} bits, {QUERIES} queries with {FLIPS} flipped bits, {threads} threads. "
              + turns.REPETITIONS)


main()
