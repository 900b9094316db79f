# SPDX-License-Identifier: MIT
"""Writes the golden files of this folder with transformers: small BERT and ALBERT encoders with random weights, and their outputs.
Usage: python make_golden.py [FOLDER], with transformers 5 and torch 2.13."""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel

CHANGES = {
    "base": {},
    "gelu": {"hidden_act": "gelu"},
    "gelu_new": {"hidden_act": "gelu_new"},
    "relu": {"hidden_act": "relu"},
    "eps_1e-2": {"layer_norm_eps": 0.01},
    "two_heads": {"num_attention_heads": 2},
}
SIZES = dict(vocab_size=50, hidden_size=24, num_attention_heads=4, intermediate_size=40, max_position_embeddings=20, type_vocab_size=3,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager")


def random_model(kind, config):
    torch.manual_seed(1)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases matter, and scores are far from equal
            parameter.copy_(torch.randn_like(parameter) * 0.4 + (parameter.dim() == 1) * 0.5)
    return model


def projections(model):
    """The modules of all queries and keys, in the order of their parameters."""
    names = dict(model.named_modules())
    return ([names[n] for n in names if n.endswith(".query")], [names[n] for n in names if n.endswith(".key")])


@torch.no_grad()
def outputs(model, ids, types, mask):
    """Hidden states, queries, keys and attention weights of all layers, in the order in which they are computed."""
    parts = {"q": [], "k": [], "attn": [], "hidden": []}
    heads = model.config.num_attention_heads

    def keep(part):
        return lambda module, inputs, output: parts[part].append(output.unflatten(-1, (heads, -1)).transpose(1, 2))

    hooks = [module.register_forward_hook(keep(part)) for part, modules in zip("qk", projections(model)) for module in modules]
    result = model(ids, token_type_ids=types, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    for hook in hooks:
        hook.remove()
    return {"hidden": torch.stack(result.hidden_states), "last": result.last_hidden_state, "attn": torch.stack(result.attentions),
            "q": torch.stack(parts["q"]), "k": torch.stack(parts["k"])}


def inputs():
    generator = torch.Generator().manual_seed(2)

    def draw(bound, *shape):
        return torch.randint(0, bound, shape, generator=generator)

    mask = torch.ones(3, 11, dtype=torch.long)
    mask[1, 7:] = 0
    mask[2, 1:] = 0
    mask[0, 3] = 0
    return {"short": (draw(50, 1, 5), None, None), "one_token": (draw(50, 1, 1), None, None), "full": (draw(50, 1, 20), draw(3, 1, 20), None),
            "two_texts": (draw(50, 2, 9), draw(3, 2, 9), None), "padded": (draw(50, 3, 11), draw(3, 3, 11), mask)}


def as_list(tensor):
    return None if tensor is None else tensor.tolist()


def write(folder, name, kind, config):
    model = random_model(kind, config)
    model.save_pretrained(folder / name)
    tensors, cases, variants = {}, [], []
    texts = inputs()
    for text, (ids, types, mask) in texts.items():
        tensors |= {f"{text}.{part}": value.contiguous() for part, value in outputs(model, ids, types, mask).items()}
        cases.append({"name": text, "input_ids": as_list(ids), "token_type_ids": as_list(types), "attention_mask": as_list(mask)})
    ids, types, mask = texts["padded"]
    for variant, change in CHANGES.items():
        changed = kind(type(config)(**(config.to_dict() | change), attn_implementation="eager")).eval()
        changed.load_state_dict(model.state_dict())
        tensors[f"variant.{variant}.last"] = outputs(changed, ids, types, mask)["last"].contiguous()
        variants.append({"name": variant, "change": change})
    file = {"class": kind.__name__, "checkpoint": name, "cases": cases, "variant_case": "padded", "variants": variants}
    (folder / f"{name}.json").write_text(json.dumps(file) + "\n")
    save_file(tensors, folder / f"{name}.safetensors")


if __name__ == "__main__":
    output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    write(output, "bert", BertModel, BertConfig(num_hidden_layers=3, **SIZES))
    write(output, "albert", AlbertModel, AlbertConfig(num_hidden_layers=4, embedding_size=16, **SIZES))
    write(output, "albert_groups", AlbertModel,
          AlbertConfig(num_hidden_layers=5, num_hidden_groups=2, embedding_size=16, hidden_act="gelu", **SIZES))
    write(output, "albert_inner_groups", AlbertModel,
          AlbertConfig(num_hidden_layers=2, num_hidden_groups=2, inner_group_num=2, embedding_size=24, **SIZES))
