# SPDX-License-Identifier: MIT
"""Writes the golden files of this folder with transformers: a small GPT-2 with random weights, a second one with a matrix of its own for the
logits, and their outputs. Usage: python make_golden.py [FOLDER], with transformers 5 and torch 2.13."""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

CHANGES = {
    "base": {},
    "inverse_layer_idx": {"scale_attn_by_inverse_layer_idx": True},
    "unscaled": {"scale_attn_weights": False},
    "gelu_erf": {"activation_function": "gelu"},
    **{name: {"activation_function": name} for name in ("relu", "silu", "tanh", "quick_gelu", "mish", "leaky_relu", "sigmoid", "linear")},
    "eps_1e-2": {"layer_norm_epsilon": 0.01},
    "upcast": {"reorder_and_upcast_attn": True},
}
TEXTS = {"short": 5, "one_token": 1, "long": 20}
GENERATED = 10


def config(**changes):
    return GPT2Config(vocab_size=50, n_positions=32, n_embd=24, n_layer=3, n_head=4, n_inner=40, bos_token_id=49, eos_token_id=49,
                      resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **changes)


def random_model(**changes):
    torch.manual_seed(1)
    model = GPT2LMHeadModel(config(**changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases matter, and scores are far from equal
            parameter.copy_(torch.randn_like(parameter) * 0.4 + (parameter.dim() == 1) * 0.5)
    return model


def loss_of(model, ids):
    return model(ids, labels=ids).loss.item() if ids.shape[1] > 1 else None


@torch.no_grad()
def write(folder, name, **changes):
    model = random_model(**changes)
    model.save_pretrained(folder / name)
    tensors, cases, variants = {}, [], []
    generator = torch.Generator().manual_seed(2)
    for text, length in TEXTS.items():
        ids = torch.randint(0, 50, (1, length), generator=generator)
        tensors[f"{text}.logits"] = model(ids).logits[0].contiguous()
        sequence, generated, margin = ids, [], float("inf")
        for _ in range(GENERATED):
            best = model(sequence).logits[0, -1].topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            generated.append(best.indices[0].item())
            sequence = torch.cat([sequence, best.indices[:1][None]], 1)
        cases.append({"name": text, "input_ids": ids[0].tolist(), "loss": loss_of(model, ids), "prompt_tokens": length, "generated": generated,
                      "min_margin": margin})
    ids = torch.randint(0, 50, (1, 11), generator=generator)
    for variant, change in CHANGES.items():
        changed = GPT2LMHeadModel(config(**changes, **change)).eval()
        changed.load_state_dict(model.state_dict())
        tensors[f"variant.{variant}.logits"] = changed(ids).logits[0, -4:].contiguous()
        variants.append({"name": variant, "change": change, "loss": loss_of(changed, ids)})
    file = {"class": "GPT2LMHeadModel", "checkpoint": name, "cases": cases, "variant_input_ids": ids[0].tolist(), "variants": variants}
    (folder / f"{name}.json").write_text(json.dumps(file, indent=1) + "\n")
    save_file(tensors, folder / f"{name}.safetensors")


if __name__ == "__main__":
    output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    write(output, "tied")
    write(output, "untied", tie_word_embeddings=False)
