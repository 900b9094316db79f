# SPDX-License-Identifier: MIT
"""Writes sampler.json with the logits processors of transformers: probabilities of the tokens that can be drawn, in their order (temperature
before top_k). Usage: python make_golden.py, with transformers 5 and torch 2.13."""
import json
import pathlib

import torch
from transformers.generation import logits_process as process

OPTIONS = [
    {},
    {"temperature": 0.7},
    {"temperature": 2.5, "top_k": 5},
    {"top_p": 0.8},
    {"top_p": 0.3, "temperature": 1.5},
    {"min_p": 0.1},
    {"min_p": 0.25, "temperature": 0.5},
    {"repeat_penalty": 1.3},
    {"repeat_penalty": 0.8, "temperature": 0.9},
    {"repeat_penalty": 2.0, "top_k": 8, "top_p": 0.9, "min_p": 0.02, "temperature": 1.2},
]


def case(index, options):
    generator = torch.Generator().manual_seed(index)
    logits = (torch.randn(24, generator=generator) * 2).float()
    text = torch.randint(0, 24, (9,), generator=generator)
    scores = logits[None].clone()
    if "repeat_penalty" in options:
        scores = process.RepetitionPenaltyLogitsProcessor(options["repeat_penalty"])(text[None], scores)
    if "temperature" in options:
        scores = process.TemperatureLogitsWarper(options["temperature"])(text[None], scores)
    if "top_k" in options:
        scores = process.TopKLogitsWarper(options["top_k"])(text[None], scores)
    if "top_p" in options:
        scores = process.TopPLogitsWarper(options["top_p"])(text[None], scores)
    if "min_p" in options:
        scores = process.MinPLogitsWarper(options["min_p"])(text[None], scores)
    probabilities = torch.softmax(scores.double(), -1)[0]
    return {"options": options, "logits": logits.tolist(), "text": text.tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    cases = [case(index, options) for index, options in enumerate(OPTIONS)]
    (pathlib.Path(__file__).parent / "sampler.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")
