# SPDX-License-Identifier: MIT
"""Writes fits.json in this folder: both models trained by plain PyTorch in float64 from given initial parameters.

python tests/golden/attention/make_golden.py      (made with torch 2.13.0 on the CPU)
"""

import json
import pathlib

import torch

import plain_torch

LENGTH, SAMPLES, EPOCHS, HIDDEN = 17, 200, 100, 32


def samples(generator):
    """Bits that are 1 with probability 0.707 and a fair rule token; true where bits 3 and 8, or with the last bit 5 and 12, are."""
    bits = (torch.rand(SAMPLES, LENGTH, generator=generator) < 0.707).long()
    bits[:, -1] = torch.randint(0, 2, (SAMPLES,), generator=generator)
    first, second = bits[:, 3] & bits[:, 8], bits[:, 5] & bits[:, 12]
    return bits, torch.where(bits[:, -1] == 0, first, second).double()


def flat(model):
    return {name: parameter.detach().flatten().tolist() for name, parameter in model.named_parameters()}


def case(model, bits, labels, learning_rate):
    initial = flat(model)
    curve = plain_torch.train(model, bits, labels, EPOCHS, learning_rate)
    result = {"learning_rate": learning_rate, "epochs": EPOCHS, "initial": initial, "curve": curve,
              "trained": flat(model)}
    model.eval()
    with torch.no_grad():
        result["output"] = model(bits).tolist()
        if isinstance(model, plain_torch.SelfAttention):
            logits, scores, attention, _ = model.elaborate(bits[:3])
            result["first_three"] = {"logits": logits.flatten().tolist(), "scores": scores.flatten().tolist(),
                                     "attention": attention.flatten().tolist()}
    return result


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(7)
    torch.manual_seed(7)
    bits, labels = samples(generator)
    attention = plain_torch.SelfAttention(LENGTH, 2)
    for parameter in attention.parameters():  # larger than the published initial parameters, so that 100 epochs move them
        torch.nn.init.normal_(parameter, std=0.5)
    document = {
        "torch": torch.__version__, "context_length": LENGTH, "hidden_size": HIDDEN,
        "bits": ["".join(map(str, row)) for row in bits.tolist()], "labels": [int(label) for label in labels],
        "self_attention_published_start": case(plain_torch.SelfAttention(LENGTH, 2), bits, labels, 1e-2),
        "self_attention": case(attention, bits, labels, 1e-2),
        "perceptron": case(plain_torch.BinaryMLP(LENGTH, HIDDEN, 0.0), bits, labels, 1e-3),
    }
    path = pathlib.Path(__file__).with_name("fits.json")
    path.write_text(json.dumps(document, indent=0) + "\n")


if __name__ == "__main__":
    main()
