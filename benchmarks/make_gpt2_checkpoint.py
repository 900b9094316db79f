# SPDX-License-Identifier: MIT
"""Writes a GPT-2 model folder with random weights: config.json and model.safetensors, without LibTorch or PyTorch.

make_gpt2_checkpoint.py FOLDER [--layers 12] [--width 768] [--heads 12] [--vocabulary 50257] [--positions 1024] [--seed 1] [--tokenizer FOLDER]

The defaults are the sizes of gpt2-small, 124 million parameters, 498 MB. --tokenizer copies tokenizer.json, vocab.json and merges.txt of
another folder, whose vocabulary may be smaller, so that `mneme inspect --texts` can be timed. Weights are normal with deviation 0.02, as at
the start of training.
"""
import argparse
import json
import pathlib
import shutil
import struct

import numpy as np

TOKENIZER_FILES = ["tokenizer.json", "vocab.json", "merges.txt"]


def shapes(layers, width, vocabulary, positions):
    """{name: shape} in the order of the file."""
    named = {"wte.weight": [vocabulary, width], "wpe.weight": [positions, width]}
    for layer in range(layers):
        for norm in ["ln_1", "ln_2"]:
            named |= {f"h.{layer}.{norm}.weight": [width], f"h.{layer}.{norm}.bias": [width]}
        for dense, inputs, outputs in [("attn.c_attn", width, 3 * width), ("attn.c_proj", width, width), ("mlp.c_fc", width, 4 * width),
                                       ("mlp.c_proj", 4 * width, width)]:
            named |= {f"h.{layer}.{dense}.weight": [inputs, outputs], f"h.{layer}.{dense}.bias": [outputs]}
    return named | {"ln_f.weight": [width], "ln_f.bias": [width]}


def numbers(name, shape, random):
    if len(shape) == 2:
        return random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    return np.full(shape, 1 if "ln_" in name and name.endswith("weight") else 0, dtype=np.float32)


def write_checkpoint(folder, layers=12, width=768, heads=12, vocabulary=50257, positions=1024, seed=1):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": vocabulary, "n_embd": width,
                                                    "n_head": heads, "n_layer": layers, "n_positions": positions, "bos_token_id": None,
                                                    "eos_token_id": None}, indent=1))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    named = {"transformer." + name: shape for name, shape in shapes(layers, width, vocabulary, positions).items()}
    for name, shape in named.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(seed)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in named.items():
            file.write(numbers(name, shape, random).tobytes())


def main():
    parser = argparse.ArgumentParser(description="Write a GPT-2 model folder with random weights.")
    parser.add_argument("folder", type=pathlib.Path)
    for size, default in [("layers", 12), ("width", 768), ("heads", 12), ("vocabulary", 50257), ("positions", 1024), ("seed", 1)]:
        parser.add_argument(f"--{size}", type=int, default=default)
    parser.add_argument("--tokenizer", type=pathlib.Path)
    options = vars(parser.parse_args())
    folder, tokenizer = options.pop("folder"), options.pop("tokenizer")
    write_checkpoint(folder, **options)
    for name in TOKENIZER_FILES if tokenizer else []:
        if (tokenizer / name).exists():
            shutil.copyfile(tokenizer / name, folder / name)


if __name__ == "__main__":
    main()
