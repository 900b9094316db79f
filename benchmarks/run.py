# SPDX-License-Identifier: MIT
"""Runs all benchmarks and writes the results as Markdown: run.py FOLDER_OF_PROGRAMS RESULTS.md [HEADING...]

With headings, such as Kernels or LEAP, only these sections are measured again; the others are kept.
Kernel times are medians of several runs on one thread. They are compared with the kernel's reference, plain LibTorch and faiss
at the same shape in the same run, and with the limits of the machine.
"""
import json
import pathlib
import re
import subprocess
import sys

from machine import cpu_model

HERE = pathlib.Path(__file__).parent
KERNELS = ["hamming", "radius_scan", "counter_update", "counter_sum", "weighted_bit_sum", "dot", "weighted_sum", "softmax_projection", "softmax_projection_gradient", "row_attention", "softmax_change", "cross_entropy", "gelu", "gelu_layer", "linear", "bfloat16_linear", "int8_linear", "normed_association",
           "projection_dropout", "window_scan", "window_scan_gradient"]
REPETITIONS = 5
# Filters for the shapes of a kernel; kernels that are not listed run all shapes.
SHAPES = {"window_scan": "/tokens:(4096|65536)/window:(0|64|256)/threads:1", "window_scan_gradient": "/tokens:(1024|65536)/window:(0|64|256)/threads:1"}
# Benchmarks of larger units compared with their peers: heading, script that prints Markdown, argument of the script.
SECTIONS = [
    ("Recall", "recall_section.py", "recall_benchmark"),
    ("Training of projections", "projection_training.py", "projection_training"),
    ("Linear layers", "linear_section.py", "linear_costs"),
    ("Hopfield layers", "hopfield_section.py", "hopfield_benchmark"),
    ("LEAP", "leap_section.py", "leap_costs"),
    ("Language models", "language_section.py", "language_costs"),
    ("Transformers", "transformer_section.py", "transformer_costs"),
    ("Training of small models", "training_section.py", "training_benchmark"),
]


def log(text):
    print(text, file=sys.stderr, flush=True)


def run_benchmark(program, shapes=None):
    log(f"running {program.name}")
    result = subprocess.run(
        [program, *([f"--benchmark_filter={shapes}"] if shapes else []), "--benchmark_format=json", f"--benchmark_repetitions={REPETITIONS}",
         "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.05"],
        check=True, capture_output=True, text=True)
    return [in_nanoseconds(row) for row in json.loads(result.stdout)["benchmarks"] if row.get("aggregate_name") == "median"]


def in_nanoseconds(row):
    return row | {"real_time": row["real_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[row["time_unit"]], "time_unit": "ns"}


def run_python(script):
    log(f"running {script.name}")
    result = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)["benchmarks"]


def key_of(row):
    """(function, type, shape) of the name BM_function<type>/shape, without the suffix of the aggregate."""
    name = re.sub(r"(/real_time)?_median$", "", row["name"])
    match = re.fullmatch(r"BM_(\w+?)(?:<(\w+)>)?((?:/\w+:\d+)*)", name)
    return match[1], match[2] or "", match[3].strip("/")


def as_time(nanoseconds):
    for unit, size in [("s", 1e9), ("ms", 1e6), ("us", 1e3)]:
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def as_rate(per_second):
    return f"{per_second / 1e9:.3g} G/s" if per_second >= 1e8 else f"{per_second / 1e6:.3g} M/s"


def as_ratio(peer, ours):
    return f"{peer['real_time'] / ours['real_time']:.2f}x" if peer else "-"


def fraction_of_limit(kernel, number, shape, row, rows, limits):
    """Fraction of the limit as text: of memory bandwidth for a scan by one query, of the multiply-add rate for products, of one
    pass over inputs and outputs if the benchmark times that as well; "-" if no limit applies."""
    if kernel.startswith("window_scan"):
        one_pass = rows.get(("pass", number, re.sub(r"window:\d+", "window:0", shape)))
        return f"{one_pass['real_time'] / row['real_time']:.0%} of one pass" if one_pass else "-"
    if kernel in ["cross_entropy", "gelu", "gelu_layer", "projection_dropout", "radius_scan", "counter_update", "counter_sum", "weighted_bit_sum"]:  # an item is more than a multiply-add
        return "-"
    sizes = dict(part.split(":") for part in shape.split("/"))
    if kernel == "hamming":
        if sizes["queries"] != "1":
            return "-"
        bytes_per_item = (int(sizes["bits"]) + 63) // 64 * 8
        return f"{row['items_per_second'] * bytes_per_item / limits['read_bytes']:.0%} of bandwidth"
    if kernel == "bfloat16_linear":  # its rate of multiply-adds is not measured
        return "-"
    if kernel == "int8_linear":  # products of int8 and 15 bits, which no limit is measured for; one byte per item
        is_in_memory = sizes["rows"] == "1" and int(sizes["inner"]) * int(sizes["columns"]) > 32e6
        return f"{row['items_per_second'] / limits['read_bytes']:.0%} of bandwidth" if is_in_memory else "-"
    if sizes.get("queries") == "1":
        bytes_per_item = 4 if number == "float" else 8
        return f"{row['items_per_second'] * bytes_per_item / limits['read_bytes']:.0%} of bandwidth"
    return f"{row['items_per_second'] / limits['multiply_adds_' + number]:.0%} of arithmetic"


def kernel_section(folder):
    limits_rows = {key_of(row)[0]: row for row in run_benchmark(folder / "machine_benchmark")}
    limits = {name: row["items_per_second"] for name, row in limits_rows.items()}
    torch_program = folder / "torch_benchmark"
    torch = {key_of(row): row for row in run_benchmark(torch_program)} if torch_program.exists() else {}
    faiss = {key_of(row): row for row in run_python(HERE / "faiss_peer.py")}
    target = limits_rows["read_bytes"]["label"]
    peers = sorted({row["label"] for row in list(torch.values()) + list(faiss.values())})
    lines = [
        f"CPU: {cpu_model()}, {target}, one thread. Peers: {'; '.join(peers)}.",
        "",
        f"Limits of this machine, measured in the same run: {as_rate(limits['multiply_adds_float'])} multiply-adds in float, "
        f"{as_rate(limits['multiply_adds_double'])} in double, {limits['read_bytes'] / 1e9:.3g} GB/s read from memory.",
        "",
        "The columns reference, LibTorch and faiss are their time divided by that of mneme: above 1, mneme is faster. Items are "
        "comparisons (hamming) or multiply-adds. The limit is the memory bandwidth, the rate of multiply-adds (arithmetic), or the "
        "time of one pass over inputs and outputs.",
        "",
        "| kernel | shape | type | mneme | items | reference | LibTorch | faiss | fraction of the limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kernel in KERNELS:
        program = folder / f"{kernel}_benchmark"
        if not program.exists():
            continue
        rows = {key_of(row): row for row in run_benchmark(program, SHAPES.get(kernel))}
        for (function, number, shape), row in rows.items():
            if function in ("reference", "pass"):
                continue
            key = (kernel, number, shape)
            # Variants of the kernel, such as masks, have only a time, since their work differs and they have no peers.
            cells = [as_rate(row["items_per_second"]) if "items_per_second" in row else "-", as_ratio(rows.get(("reference", number, shape)), row),
                    as_ratio(torch.get(key), row), as_ratio(faiss.get(key), row),
                    fraction_of_limit(kernel, number, shape, row, rows, limits)] if function == kernel else 5 * ["-"]
            name = function if function == kernel else f"{kernel}: {function.replace('_', ' ')}"
            lines.append("| " + " | ".join([name, shape.replace("/", ", ").replace(":", " "), number or {"hamming": "bits", "int8_linear": "int8", "bfloat16_linear": "bfloat16"}.get(kernel, "float"),
                                            as_time(row["real_time"]), *cells]) + " |")
    return lines


def existing_sections(results):
    """{heading: text} of an existing file."""
    if not results.exists():
        return {}
    parts = re.split(r"^## (.*)\n", results.read_text(), flags=re.MULTILINE)[1:]
    return {heading: text.strip("\n") for heading, text in zip(parts[::2], parts[1::2])}


def main():
    folder, results = map(pathlib.Path, sys.argv[1:3])
    measures = {"Kernels": lambda: "\n".join(kernel_section(folder))}
    for heading, script, program in SECTIONS:
        if (folder / program).exists():
            measures[heading] = lambda script=script, program=program: subprocess.run(
                [sys.executable, HERE / script, folder / program], check=True, stdout=subprocess.PIPE, text=True).stdout.strip("\n")
    chosen = sys.argv[3:]
    requested = chosen or list(measures)
    for heading in requested:
        if heading not in measures:
            sys.exit(f"run.py: unknown section {heading}; available sections: {', '.join(measures)}.")
    sections = existing_sections(results) if chosen else {}
    for heading in requested:
        log(f"measuring: {heading}")
        text = measures[heading]()
        sections[heading] = text if text.startswith("CPU: ") else f"CPU: {cpu_model()}.\n\n{text}"  # sections can be from different machines
        lines = ["# Benchmarks", "", "Written by `./dev bench`; medians of several runs each."]
        for known in ["Kernels", *(heading for heading, _, _ in SECTIONS)]:  # also those that cannot be measured here
            if known in sections:
                lines += ["", f"## {known}", "", sections[known]]
        results.write_text("\n".join(lines) + "\n")  # after each section, since a run takes a quarter of an hour
    print(results.read_text())


main()
