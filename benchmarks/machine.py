# SPDX-License-Identifier: MIT
"""The machine on which benchmarks run."""
import pathlib
import platform


def cpu_model():
    """Such as "AMD EPYC (family 25 model 17)": processors with the same name can differ by a factor of two."""
    values = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    name = values.get("model name", platform.machine())
    return f"{name} (family {values['cpu family']} model {values['model']})" if "cpu family" in values else name
