# SPDX-License-Identifier: MIT
"""Writes the table of speed in README.md from RESULTS.md: readme_table.py RESULTS.md README.md [--check]

The table replaces the text between the two marker comments of README.md. With --check nothing is written; the exit code is 1 if
README.md differs from the table.
"""
import pathlib
import re
import sys

BEGIN = "<!-- begin: speed, written by benchmarks/readme_table.py -->"
END = "<!-- end: speed -->"

# Rows of the table: task, section of RESULTS.md, first cells of the row there, columns of time and memory of mneme, and for each
# peer its name and the columns of its ratio and memory.
ROWS = [
    ("search of the 10 nearest of 10 000 patterns of 1024 bits for 64 queries", "Recall",
     ["10000 x 1024: search, 10 neighbours", "64"], "1 thread", None, [("faiss", "ratio", None)]),
    ("recall of 1 cue, best match, from 1 000 000 patterns of 1024 bits", "Recall",
     ["1000000 x 1024: best match", "1"], "1 thread", None, [("faiss (search)", "ratio", None)]),
    ("recall of 64 cues, best match, from 10 000 vectors of 1024 floats", "Recall",
     ["10000 x 1024: dot, best match", "64"], "1 thread", None, [("faiss (search)", "ratio", None)]),
    ("Hamming distances between 1 query and 100 000 patterns of 1000 bits", "Kernels",
     ["hamming", "queries 1, stored 100000, bits 1000", "bits"], "mneme", None, [("faiss", "faiss", None)]),
    ("Hamming distances between 64 queries and 100 000 patterns of 1000 bits", "Kernels",
     ["hamming", "queries 64, stored 100000, bits 1000", "bits"], "mneme", None, [("faiss", "faiss", None)]),
    ("dot products of 1 query with 100 000 vectors of 64 floats", "Kernels",
     ["dot", "queries 1, stored 100000, size 64", "float"], "mneme", None, [("LibTorch", "LibTorch", None)]),
    ("softmax attention of 1024 queries and 1024 keys of 64 floats", "Kernels",
     ["softmax_projection", "queries 1024, stored 1024, size 64", "float"], "mneme", None, [("LibTorch", "LibTorch", None)]),
    ("Hopfield layer, forward and backward: 1 state update, 4 heads of 16 features, 8 batches of 1024 states and 1024 stored patterns", "Hopfield layers",
     ["16", "1", "1x", "forward and backward"], "mneme", "memory of mneme", [("plain LibTorch", "plain", "memory of plain"), ("SDPA", "SDPA", "memory of SDPA")]),
    ("Hopfield pooling, forward and backward: a bag of 300 000 vectors of 32 floats", "Hopfield layers",
     ["300000 x 32", "1x", "forward and backward"], "mneme", "memory of mneme", [("plain LibTorch", "plain", "memory of plain"), ("SDPA", "SDPA", "memory of SDPA")]),
    ("LEAP, forward and backward: 16 384 tokens, window of 256, 8 heads of 64 features", "LEAP",
     ["16384", "forward + backward", "256"], "mneme, ms", "mneme, MB",
     [("original LEAP", "ratio", "original, MB"), ("SDPA, causal", "ratio 2", "softmax, MB")]),
    ("training step of a projection: 60 000 stored images of 784 pixels, batch of 128", "Training of projections",
     ["time per step, s"], "mneme", None, [("PyTorch", "ratio", None)]),
]


def tables(text, section):
    """Header and rows of each table of a section. A name that occurs twice in a header is numbered from the second time on."""
    match = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not match:
        sys.exit(f"readme_table.py: there is no section \"{section}\"")
    found, header = [], None
    for line in match[1].splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if header is None:
            header = [name if names.count(name) == 0 else f"{name} {names.count(name) + 1}"
                      for names, name in ((cells[:i], name) for i, name in enumerate(cells))]
            found.append((header, []))
        elif not all(re.fullmatch(":?-+:?", cell) for cell in cells):
            found[-1][1].append(cells)
    return found


def find_row(text, section, keys):
    """The first row of a section whose first cells are `keys`, as a dict by column."""
    for header, rows in tables(text, section):
        for row in rows:
            if row[:len(keys)] == keys:
                return dict(zip(header, row))
    sys.exit(f"readme_table.py: section \"{section}\" has no row {keys}")


def with_unit(name, cell):
    """A cell with the unit at the end of the name of its column or row, such as "mneme, ms"."""
    match = re.search(r", (ms|s|MB)$", name)
    return f"{cell} {match[1]}" if match else cell


def as_ratio(cell):
    """At most three digits: 247.85x becomes 248x."""
    number = float(cell.rstrip("x"))
    return f"{number:.0f}x" if number >= 100 else f"{number:.3g}x"


def as_table(text):
    lines = ["| task | mneme | peer | time of peer / mneme | memory of mneme | memory of peer |", "| --- | ---: | --- | ---: | ---: | ---: |"]
    for task, section, keys, time, memory, peers in ROWS:
        row = find_row(text, section, keys)
        ours = [task, with_unit(time, with_unit(keys[0], row[time]))]
        our_memory = with_unit(memory, row[memory]) if memory else ""
        for name, ratio, peer_memory in peers:
            cells = [*ours, name, as_ratio(row[ratio]), our_memory, with_unit(peer_memory, row[peer_memory]) if peer_memory else ""]
            lines.append("| " + " | ".join(cells) + " |")
            ours, our_memory = ["", ""], ""
    return "\n".join(lines)


def machine(text):
    """The machine and the peers of the run, from the first lines of the section Kernels."""
    cpu = re.search(r"^CPU: ([^,]+), ([\w-]+)", text, re.MULTILINE)
    torch = re.search(r"LibTorch ([\d.]*\d)", text)
    faiss = re.search(r"faiss-cpu ([\d.]*\d)", text)
    if not (cpu and torch and faiss):
        sys.exit("readme_table.py: the section Kernels does not name the CPU, LibTorch and faiss-cpu")
    return f"Measured on {cpu[1]} ({cpu[2]}) with LibTorch {torch[1]} and faiss {faiss[1]}: the first seven rows on one thread, the others on two."


def with_table(readme, results):
    begin, end = readme.find(BEGIN), readme.find(END)
    if begin < 0 or end < begin:
        sys.exit(f"readme_table.py: README.md needs the lines\n{BEGIN}\n{END}")
    return f"{readme[:begin]}{BEGIN}\n{machine(results)}\n\n{as_table(results)}\n{readme[end:]}"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    results, path = pathlib.Path(arguments[0]).read_text(encoding="utf-8"), pathlib.Path(arguments[1])
    readme = path.read_text(encoding="utf-8")
    written = with_table(readme, results)
    if "--check" not in sys.argv:
        path.write_text(written, encoding="utf-8")
    elif written != readme:
        sys.exit("readme_table.py: the table of speed in README.md differs from RESULTS.md; run benchmarks/readme_table.py benchmarks/RESULTS.md README.md")


if __name__ == "__main__":
    main()
