# SPDX-License-Identifier: MIT
"""Measures layers and separations at random shapes next to LibTorch, and writes a summary: survey.py PROGRAM SURVEY.md [--seed S] [--minutes M] [--threads 1|2]

survey.py PROGRAM --case "..." repeats one case. PROGRAM is built from survey.cpp.
"""
import json
import math
import pathlib
import statistics
import subprocess
import sys

MAX_DIFFERENCE = {"float": 2e-3, "double": 1e-6}  # of results, relative
# Until convergence: the peers also update heads and states that have converged, which moves them within the threshold.
MAX_DIFFERENCE_CONVERGED = 5e-3
SMALL = 50e-6  # seconds of the better peer, below which differences are reported in microseconds
WORST = 20
LEVELS = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]


class Measurement:
    def __init__(self, line):
        row = json.loads(line)
        self.case, self.difference, self.machine = row["case"], row["difference"], {key: row[key] for key in ("cpu", "isa", "torch")}
        self.settings = dict(word.split("=") for word in self.case.split())
        self.seconds = row["seconds"]
        self.ours = self.seconds["mneme"]
        self.peer, self.peer_name = min((seconds, name) for name, seconds in self.seconds.items() if name != "mneme")
        self.ratio = self.peer / self.ours

    def disagrees(self):
        limit = MAX_DIFFERENCE_CONVERGED if self.settings["updates"] == "-1" else MAX_DIFFERENCE[self.settings["type"]]
        return not self.difference <= limit  # also if it is NaN


def run(program, arguments):
    process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
    measurements = []
    for line in process.stdout:
        measurements.append(Measurement(line))
        if len(measurements) % 50 == 0:
            print(f"  {len(measurements)} cases, geometric mean {geometric_mean(measurements):.2f}x", file=sys.stderr, flush=True)
    if process.wait() != 0:
        sys.exit(f"survey.py: {program} failed with exit code {process.returncode}")
    return measurements


def geometric_mean(measurements):
    return math.exp(statistics.fmean(math.log(m.ratio) for m in measurements))


def quantile(sorted_numbers, level):
    return sorted_numbers[round(level * (len(sorted_numbers) - 1))]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def table(head, rows):
    return "\n".join([row(head), row(["---"] + ["---:"] * (len(head) - 1)), *map(row, rows)])


def share(measurements, limit):
    return f"{sum(m.ratio < limit for m in measurements) / len(measurements):.1%}"


def summary_row(name, measurements):
    ratios = sorted(m.ratio for m in measurements)
    return [name, str(len(ratios)), f"{geometric_mean(measurements):.2f}x", share(measurements, 1), share(measurements, 0.9),
            share(measurements, 0.8), *(f"{quantile(ratios, level):.2f}x" for level in LEVELS)]


def groups(measurements):
    yield "all", measurements
    for key, names in [("layer", None), ("pass", None), ("mask", None), ("dropout", {"0": "no dropout", "1": "dropout"}), ("type", None),
                       ("threads", {"1": "1 thread", "2": "2 threads"})]:
        for value in sorted({m.settings[key] for m in measurements}):
            yield (names or {}).get(value, f"{key} {value}"), [m for m in measurements if m.settings[key] == value]
    for low, high in [(0, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2), (1e-2, math.inf)]:
        chosen = [m for m in measurements if low <= m.peer < high]
        if chosen:
            yield f"peer {1e3 * low:g} to {1e3 * high:g} ms", chosen


def as_time(seconds):
    return f"{1e6 * seconds:.1f} us" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


def report(measurements, arguments):
    machine = measurements[0].machine
    small = sorted(m.ours - m.peer for m in measurements if m.peer < SMALL)
    worst = sorted(measurements, key=lambda m: m.ratio)[:WORST]
    levels = ["minimum", *(f"{level:.0%}" for level in LEVELS[1:-1]), "maximum"]
    lines = [
        "# Layers at random shapes", "",
        f"Written by `./dev bench survey {' '.join(arguments)}`".rstrip() + ".", "",
        f"CPU: {machine['cpu']}, {machine['isa']}, LibTorch {machine['torch']}. Lengths, features and heads are drawn log-uniformly; masks, "
        "dropout, updates, types and, unless it is given, 1 or 2 threads at random. A ratio is the time of the better peer, plain LibTorch or a chain of "
        "scaled_dot_product_attention, divided by that of mneme: above 1, mneme is faster. Times are the fastest of several turns, which "
        "alternate between the implementations: CPU time on one thread, elapsed time on two. A case in which mneme is slower is measured "
        "once more, for longer, and the faster turns count. Results and gradients were compared with those of plain LibTorch.", "",
        table(["cases", "number", "geometric mean", "below 1", "below 0.9", "below 0.8", *levels],
              [summary_row(name, chosen) for name, chosen in groups(measurements)]), "",
    ]
    if small:
        lines += [f"Time of mneme minus that of the better peer, where the peer takes less than {1e6 * SMALL:.0f} us ({len(small)} cases):", "",
                  table(["", *levels], [["difference"] + [f"{1e6 * quantile(small, level):+.1f} us" for level in LEVELS]]), ""]
    lines += [f"The {len(worst)} smallest ratios. `./dev bench survey --case \"...\"` repeats a case:", "",
              table(["case", "ratio", "mneme", "better peer"],
                    [[f"`{m.case}`", f"{m.ratio:.2f}x", as_time(m.ours), f"{m.peer_name} {as_time(m.peer)}"] for m in worst])]
    return "\n".join(lines) + "\n"


def main():
    program, arguments = sys.argv[1], sys.argv[2:]
    if arguments[:1] == ["--case"]:
        for m in run(program, arguments):
            print(f"{m.case}\n  " + ", ".join(f"{name} {as_time(seconds)}" for name, seconds in m.seconds.items()) +
                  f"; ratio {m.ratio:.2f}x, largest relative difference {m.difference:.1e}")
        return
    results, arguments = pathlib.Path(arguments[0]), arguments[1:]
    measurements = run(program, arguments)
    text = report(measurements, arguments)
    results.write_text(text)
    print(text)
    wrong = [m for m in measurements if m.disagrees()]
    for m in wrong:
        print(f"survey.py: results differ by {m.difference:.1e} from plain LibTorch: {m.case}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
