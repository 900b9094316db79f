#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes files by torch.save, and the numbers of state_dict.pt and accepted.pt as .safetensors. Needs torch and numpy."""
import collections
import json
import pathlib
import struct

import numpy
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
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
         torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        plain = tensor.detach().resolve_neg().contiguous().flatten()
        content = bytes(plain.view(torch.uint8).tolist()) if tensor.numel() else b""
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


write_safetensors(HERE / "state_dict.safetensors", state)
torch.save(state, HERE / "before_1_6.pt", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "model": state}, HERE / "with_epoch.pt")

# Tensors that PyTorch writes in other ways than plain ones.
small = torch.arange(6, dtype=torch.float32).view(2, 3)


def with_attribute(tensor):
    tensor.note = "not needed"
    return tensor


accepted = {
    "negated": torch._neg_view(small),
    "imaginary part of a conjugate": torch.conj(torch.complex(small, small + 1)).imag,
    "negated integers": torch._neg_view(torch.tensor([1, -2])),
    "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 5),
    "expanded scalar": torch.tensor(3.0).expand(4),
    "parameter with attribute": with_attribute(torch.nn.Parameter(small.clone())),
    "attribute": with_attribute(small.clone()),
    "buffer": torch.nn.Buffer(small.clone()),
    "gradient": small.clone().requires_grad_(),
    "short": torch.tensor([-7, 300], dtype=torch.int16),
    "uint16": torch.tensor([7, 65535], dtype=torch.uint16),
    "uint32": torch.tensor([7, 2**32 - 1], dtype=torch.uint32),
    "uint64": torch.tensor([7, 2**64 - 1], dtype=torch.uint64),
}
torch.save(accepted, HERE / "accepted.pt")
write_safetensors(HERE / "accepted.safetensors", accepted)


class Subclass(torch.Tensor):
    pass


torch.save({
    "sparse": small.to_sparse(),
    "compressed": small.to_sparse_csr(),
    "quantized": torch.quantize_per_tensor(small, 0.5, 1, torch.qint8),
    "nested": torch.nested.nested_tensor([small[0], small[1, :2]]),
    "meta": torch.empty(2, 3, device="meta"),
    "complex": torch.complex(small, small),
    "conjugate": torch.conj(torch.complex(small, small)),
    "float8": small.to(torch.float8_e4m3fn),
    "subclass": small.clone().as_subclass(Subclass),
    "uninitialized": torch.nn.UninitializedParameter(),
    "array": numpy.arange(3.0),
    "module": torch.nn.Linear(2, 2),
    "storage": small.untyped_storage(),
}, HERE / "refused.pt")

model = torch.nn.Linear(3, 2)
optimizer = torch.optim.AdamW(model.parameters())
model(small).sum().backward()
optimizer.step()
averaged = {name: tensor / 2 for name, tensor in model.state_dict().items()}
torch.save({"epoch": numpy.float64(3), "arguments": {"rate": 0.1}, "model": model.state_dict(),
            "optimizer": optimizer.state_dict()}, HERE / "checkpoint.pt")
torch.save({"epoch": 3, "model": {"last": model.state_dict(), "ema": averaged}}, HERE / "averaged.pt", pickle_protocol=4)
torch.save(small, HERE / "tensor.pt")
torch.save([small, small[0] + 1], HERE / "list.pt")
torch.save(model, HERE / "module.pt")
torch.jit.save(torch.jit.script(model), HERE / "torch_script.pt")
