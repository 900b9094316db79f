#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes state_dict.pt by torch.save, and the same tensors as state_dict.safetensors. Needs torch."""
import collections
import json
import pathlib
import struct

import torch

HERE = pathlib.Path(__file__).resolve().parent

numbers = torch.arange(12, dtype=torch.float32).view(3, 4) / 7
state = collections.OrderedDict(
    weight=torch.nn.Parameter(numbers.clone()),
    transposed=numbers.t(),
    view=numbers[1:, ::2],
    double=torch.tensor(0.1, dtype=torch.float64),
    half=torch.tensor([0.5, -2.0], dtype=torch.float16),
    bfloat=torch.tensor([1.5, -3.0], dtype=torch.bfloat16),
    long=torch.tensor([-1, 2**40]),
    int=torch.tensor([[-7]], dtype=torch.int32),
    char=torch.tensor([-7], dtype=torch.int8),
    byte=torch.tensor([200], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
    empty=torch.zeros(0, 3),
)
state._metadata = {"": {"version": 1}}
torch.save(state, HERE / "state_dict.pt")

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
         torch.int32: "I32", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
header, data = {}, b""
for name, tensor in state.items():
    content = bytes(tensor.detach().contiguous().flatten().view(torch.uint8).tolist()) if tensor.numel() else b""
    header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                    "data_offsets": [len(data), len(data) + len(content)]}
    data += content
text = json.dumps(header).encode()
(HERE / "state_dict.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)

torch.save(state, HERE / "before_1_6.pt", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "model": state}, HERE / "with_epoch.pt")
