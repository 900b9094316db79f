# SPDX-License-Identifier: MIT
"""Prints JSON: seconds of a training step and peak memory of a language model in plain PyTorch.

language_peer.py gpt2|leap VOCABULARY float32|bfloat16 THREADS STEPS eager|compile

Both models have 4 layers of width 256 with 4 heads and train on 8 rows of 512 random tokens with fused AdamW, as language_costs train; bfloat16: in torch.autocast.
"""
import json
import math
import pathlib
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, LENGTH, ROWS = 4, 4, 256, 512, 8
WINDOWS = [LENGTH, 4, 8, 16]  # of LEAP; the first one is unlimited


class FeedForward(nn.Module):
    def __init__(self, approximate):
        super().__init__()
        self.norm, self.approximate = nn.LayerNorm(WIDTH), approximate
        self.inner, self.outer = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return x + self.outer(F.gelu(self.inner(self.norm(x)), approximate=self.approximate))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.output = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, dim=-1))
        return x + self.output(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


def window_sums(rows, window):
    """Sums over the last `window` tokens, by differences of cumulative sums, as in the published code."""
    sums = rows.cumsum(1)
    return sums if window >= LENGTH else sums - F.pad(sums, [0, 0] * (rows.dim() - 2) + [window, 0])[:, :LENGTH]


class Leap(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.norm, self.window = nn.LayerNorm(WIDTH), window
        self.projections = nn.Linear(WIDTH, 4 * WIDTH, bias=False)

    def forward(self, x):
        scale = 1 / math.sqrt(WIDTH // HEADS)
        q, f, k, v = (t.unflatten(-1, (HEADS, -1)) for t in self.projections(self.norm(x)).chunk(4, dim=-1))
        weight = F.elu(scale * (f * k).sum(-1, keepdim=True)) + 1
        total = window_sums(weight, self.window) + 1e-5
        mean_k, mean_v = (window_sums(weight * t, self.window) / total for t in (k, v))
        gate = torch.sigmoid(scale * (q * mean_k).sum(-1, keepdim=True))
        return x + (gate * mean_v).flatten(2)


class LanguageModel(nn.Module):
    def __init__(self, kind, vocabulary):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(LENGTH, WIDTH)
        mixers = [Attention() for _ in range(LAYERS)] if kind == "gpt2" else [Leap(window) for window in WINDOWS]
        self.layers = nn.Sequential(*[layer for mixer in mixers for layer in (mixer, FeedForward("tanh" if kind == "gpt2" else "none"))])
        self.norm = nn.LayerNorm(WIDTH)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids, targets):
        x = self.norm(self.layers(self.words(ids) + self.positions.weight))
        return F.cross_entropy((x @ self.words.weight.T).flatten(0, 1), targets.flatten())


def peak_memory():
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def main():
    kind, vocabulary, precision, threads, steps, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    tokens = torch.randint(vocabulary, (100_000,))
    model = LanguageModel(kind, vocabulary)
    call = torch.compile(model) if mode == "compile" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    times, losses = [], []
    for _ in range(steps + 1):  # the first step is not counted
        begin = time.perf_counter()
        first = torch.randint(len(tokens) - LENGTH, (ROWS,))
        ids, targets = (torch.stack([tokens[i + shift:i + shift + LENGTH] for i in first]) for shift in (0, 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = call(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        times.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": min(times[1:]), "memory": peak_memory(), "first_loss": losses[0], "loss": losses[-1],
                      "parameters": sum(parameter.numel() for parameter in model.parameters())}))


if __name__ == "__main__":
    main()
