# SPDX-License-Identifier: MIT
"""Describes the machine, and converts the measurements of device_check.sh to tables.

device_report.py machine DEVICE           prints JSON: LibTorch, CUDA, card, driver; fails if the device is not found
device_report.py tables FOLDER            reads machine.json, parts.tsv, golden.json and timings.jsonl in FOLDER, if they exist;
                                          writes device_check.json and device_check.md to FOLDER
"""
import json
import pathlib
import platform
import re
import subprocess
import sys

SDPA = "sdpa"
THIRD = 1 / 3
# Maximum relative difference |ours - peer| / |peer| that is not reported.
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}


# --- the machine ----------------------------------------------------------------------------------------------------

def nvidia_smi():
    """[{name, driver, memory}] of all cards, as reported by the driver."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [dict(zip(("name", "driver", "memory"), map(str.strip, line.split(",")))) for line in lines if line.count(",") == 2]


def print_machine(device):
    try:
        import torch
    except ImportError as error:
        sys.exit(f"{sys.executable} cannot import torch ({error}). Set PYTHON=/path/to/python to use another interpreter.")
    package = pathlib.Path(torch.__file__).parent
    machine = {"device": device, "python": platform.python_version(), "torch_package": str(package), "libtorch": torch.__version__,
               "cuda": torch.version.cuda}
    if not torch.compiled_with_cxx11_abi():
        sys.exit(f"PyTorch {torch.__version__} in {package} was built with the old C++ ABI of GCC, which mneme cannot link.")
    if device.startswith("cuda"):
        index = int(device.partition(":")[2] or 0)
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            sys.exit(f"PyTorch {torch.__version__} of {sys.executable} finds {torch.cuda.device_count()} CUDA devices; {device} was not found.")
        properties = torch.cuda.get_device_properties(index)
        cards = nvidia_smi()
        machine |= {"card": properties.name, "card_memory_bytes": properties.total_memory, "multiprocessors": properties.multi_processor_count,
                    "driver": cards[index]["driver"] if index < len(cards) else "unknown"}
    print(json.dumps(machine))


# --- reading --------------------------------------------------------------------------------------------------------

def read_json(path):
    """None if the file is missing or incomplete, which happens if a part was stopped."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return None


def read_lines(path):
    documents = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            documents.append(json.loads(line))
        except json.JSONDecodeError:
            pass  # incomplete last line of a program that was stopped
    return documents


def read_parts(path):
    lines = [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []
    return [{"part": name, "seconds": int(seconds), "limit": int(limit), "result": result} for name, seconds, limit, result in lines]


# --- evaluation of the rows -------------------------------------------------------------------------------------------

def measured(contender):
    return contender is not None and "seconds" in contender


def peer(row, name):
    return row.get("peers", {}).get(name)


def ratio_to(row, name):
    """Time of the peer divided by that of mneme; None if either was not measured."""
    other = peer(row, name)
    return other["seconds"] / row["mneme"]["seconds"] if measured(row["mneme"]) and measured(other) else None


def binding_limit(row):
    """(name, fraction) of the limit that the row is closest to; fraction times the measured time is a lower bound of the time."""
    return max((("bandwidth", row["bandwidth_share"]), ("matrix rate", row["matrix_rate_share"])), key=lambda limit: limit[1])


def slower_than_sdpa(rows):
    return [row for row in rows if (ratio_to(row, SDPA) or 1) < 1]


def below_a_third(rows):
    return [row for row in rows if "bandwidth_share" in row and binding_limit(row)[1] < THIRD]


def host_reads(rows):
    return [row for row in rows if row["mneme"].get("host_reads")]


def far_from_peer(row, name):
    difference = peer(row, name).get("difference", 0)
    return not isinstance(difference, (int, float)) or difference > TOLERANCE[row["type"]]


def different_from_peer(rows):
    return [row for row in rows if any(far_from_peer(row, name) for name in row.get("peers", {}))]


def not_measured(rows):
    return [row for row in rows if not measured(row["mneme"])]


# --- text -------------------------------------------------------------------------------------------------------------

def as_time(seconds):
    for unit, size in [("s", 1), ("ms", 1e-3), ("us", 1e-6)]:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def as_bytes(size):
    for unit, bytes_ in [("GiB", 2**30), ("MiB", 2**20)]:
        if size >= bytes_:
            return f"{size / bytes_:.3g} {unit}"
    return f"{size / 2**10:.3g} KiB"


def as_rate(per_second):
    return f"{per_second / 1e12:.3g} T/s" if per_second >= 1e12 else f"{per_second / 1e9:.3g} G/s"


def as_share(share):
    return f"{100 * share:.2g} %"


def counted(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def name_of(row):
    return f"{row['op']}, {row['shape']}, {row['type']}, {row['pass']}"


def table_row(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def time_cell(contender):
    if contender is None:
        return "-"
    return as_time(contender["seconds"]) if measured(contender) else contender["error"]


def memory_cell(contender):
    return as_bytes(contender["peak_bytes"]) if contender and "peak_bytes" in contender else "-"


def peer_cell(row, name):
    ratio = ratio_to(row, name)
    return f"{ratio:.2f}x" if ratio is not None else "-" if peer(row, name) is None or measured(peer(row, name)) else peer(row, name)["error"]


def others_cell(row):
    return "; ".join(f"{name} {peer_cell(row, name)}" for name in row.get("peers", {}) if name != SDPA) or "-"


def shares_cells(row):
    return [as_share(row[key]) if key in row else "-" for key in ("bandwidth_share", "matrix_rate_share")]


def reads_cell(row):
    reads = row["mneme"].get("host_reads")
    return "-" if reads is None else str(sum(reads.values()))


COLUMNS = ["op", "shape", "type", "pass", "mneme", SDPA, "other peers", "memory", "memory of sdpa", "bandwidth", "matrix rate", "host reads"]


def table(rows):
    lines = [table_row(COLUMNS), table_row(["---"] * len(COLUMNS))]
    for row in rows:
        lines.append(table_row([row["op"], row["shape"], row["type"], row["pass"], time_cell(row["mneme"]), peer_cell(row, SDPA), others_cell(row),
                                memory_cell(row["mneme"]), memory_cell(peer(row, SDPA)), *shares_cells(row), reads_cell(row)]))
    return lines


def listed(heading, rows, sentence, nothing):
    return ["", f"## {heading}", "", *([f"- {name_of(row)}: {sentence(row)}" for row in rows] or [nothing])]


def slower_sentence(row):
    return f"{1 / ratio_to(row, SDPA):.2f} times as long ({as_time(row['mneme']['seconds'])} compared with {as_time(peer(row, SDPA)['seconds'])})"


def share_sentence(row):
    limit, share = binding_limit(row)
    ours = row["mneme"]
    # If calls return hardly earlier than the device finishes, the device waits for the host.
    slow_host = "; limited by kernel launches on the host" if ours.get("peak_bytes") is not None and ours["host_seconds"] > 0.8 * ours["seconds"] else ""
    return f"{as_share(share)} of the {limit}, {as_time(ours['seconds'])}{slow_host}"


def reads_sentence(row):
    return ", ".join(f"{count} x {name}" for name, count in row["mneme"]["host_reads"].items())


def difference_sentence(row):
    differences = [(name, peer(row, name)["difference"]) for name in row["peers"] if far_from_peer(row, name)]
    return ", ".join(f"{value if isinstance(value, str) else format(value, '.1e')} from {name}" for name, value in differences)


def limit_lines(limits):
    lines = []
    for limit in limits:
        if limit["name"] == "copy":
            lines.append(f"- copy on the device: {limit['bytes_per_second'] / 1e9:.4g} GB/s, counting bytes read and bytes written ({as_bytes(limit['bytes'])})")
        else:
            tf32 = {True: ", TF32 on", False: ", TF32 off"}.get(limit.get("tf32"), "")
            length = limit["length"]
            lines.append(f"- matrix product, {limit['type']}{tf32}: {as_rate(limit['multiply_adds_per_second'])} multiply-adds ({length} x {length} x {length})")
    return lines or ["No measurements."]


def golden_lines(golden):
    if golden is None:
        return ["No result."]
    total = golden["total"]
    text = f"{counted(total['files'], 'file')}: {counted(total['cases_passed'], 'case')} passed, {total['cases_failed']} failed"
    for state, words in [("bad_files", "not usable"), ("skipped_files", "skipped because none of their cases run on this device")]:
        text += f", {counted(total[state], 'file')} {words}" if total.get(state) else ""
    ratios = [(file["worst_ratio"], file["path"]) for file in golden["files"] if isinstance(file.get("worst_ratio"), (int, float))]
    if ratios:
        text += f". The largest error is {max(ratios)[0]:.2g} of its tolerance, in {pathlib.Path(max(ratios)[1]).name}"
    lines = [text + "."]
    for file in golden["files"]:
        if file["cases_failed"] or file["state"] in ("bad", "unsupported"):
            lines += [f"- {pathlib.Path(file['path']).name}: {file['cases_failed']} failed", *(f"  - {' '.join(text.split())}" for text in file["messages"])]
    return lines


def machine_lines(machine, timings_of):
    lines = []
    if "card" in machine:
        lines.append(f"{machine['card']}, {as_bytes(machine['card_memory_bytes'])}, driver {machine['driver']}. ")
    cuda = f" with CUDA {machine['cuda']}" if machine.get("cuda") else ""
    lines.append(f"LibTorch {machine.get('libtorch', 'unknown')}{cuda}. ")
    if timings_of:
        lines.append(f"CPU: {timings_of['cpu']}, {timings_of['cpu_target']}, {timings_of['threads']} threads. ")
    return ["".join(lines).strip()]


def markdown(results, rows, timings_of):
    machine = results["machine"]
    on = machine.get("card") or f"{machine.get('device', 'unknown device')} ({timings_of['cpu'] if timings_of else platform.machine()})"
    short = ["", "**Short form: small shapes and few runs, to test that everything works. The times are not meaningful.**"] if (timings_of or {}).get("short") else []
    parts = [table_row(["part", "result", "seconds", "limit"]), table_row(["---"] * 4)]
    parts += [table_row([part["part"], part["result"], part["seconds"], part["limit"]]) for part in results["parts"]]
    return [
        f"# Benchmarks on {on}", "", f"Written by `benchmarks/device_check.sh {re.sub(':.*', '', machine.get('device', ''))}`.", *short, "",
        *machine_lines(machine, timings_of), "", "## Parts of the check", "", *parts, "", "## Limits of the device, measured in this run", "",
        *limit_lines(results["limits"]), "", "## Golden cases on the device", "", *golden_lines(results["golden"]), "", "## Timings", "",
        "Times are medians of many calls after warm-up, measured by events of the device. Ratios are the time of the peer divided by that of "
        "mneme: above 1, mneme is faster. sdpa is scaled_dot_product_attention, for layers with the same norms and projections; for LEAP it is "
        "causal softmax attention, which is a different function of the same inputs. Memory is the peak above the inputs. Bandwidth and matrix "
        "rate are fractions of the limits above, for the minimum of memory traffic (each input is read and each output written once) and of "
        "multiply-adds; inputs that fit into the cache can exceed the bandwidth. Host reads are the number of times that a forward pass makes "
        "the host wait for the device, or copies between them.",
        "", *table(rows),
        *listed("Slower than scaled_dot_product_attention", slower_than_sdpa(rows), slower_sentence, "None."),
        *listed("Below a third of the bandwidth, or of the matrix rate if that is the limit", below_a_third(rows), share_sentence, "None."),
        *(listed("Host reads in the forward pass", host_reads(rows), reads_sentence, "None.") if machine.get("device") != "cpu" else []),
        *listed("Differences from a peer that exceed rounding errors", different_from_peer(rows), difference_sentence, "None."),
        *listed("Not measured", not_measured(rows), lambda row: row["mneme"]["error"], "None."),
    ]


def write_tables(folder):
    documents = read_lines(folder / "timings.jsonl")
    rows = [document for document in documents if document["kind"] == "row"]
    timings_of = next((document for document in documents if document["kind"] == "machine"), None)
    results = {
        "machine": read_json(folder / "machine.json") or {},
        "timings_of": timings_of,
        "parts": read_parts(folder / "parts.tsv"),
        "limits": [document for document in documents if document["kind"] == "limit"],
        "golden": read_json(folder / "golden.json"),
        "rows": rows,
        "complete": any(document["kind"] == "end" for document in documents),
        "slower_than_sdpa": list(map(name_of, slower_than_sdpa(rows))),
        "below_a_third": list(map(name_of, below_a_third(rows))),
        "host_reads": list(map(name_of, host_reads(rows))),
        "different_from_peer": list(map(name_of, different_from_peer(rows))),
        "not_measured": list(map(name_of, not_measured(rows))),
    }
    (folder / "device_check.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "device_check.md").write_text("\n".join(markdown(results, rows, timings_of)) + "\n")


def main():
    match sys.argv[1:]:
        case ["machine", device]:
            print_machine(device)
        case ["tables", folder]:
            write_tables(pathlib.Path(folder))
        case _:
            sys.exit(__doc__)


main()
