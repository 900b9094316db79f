# SPDX-License-Identifier: MIT
"""Makes training_steps.safetensors: ten AdamW steps of GPT-2, LEAP and an LSTM, computed with PyTorch in float32.

The models are written here in plain PyTorch, without code of mneme: GPT-2 with scaled_dot_product_attention, LEAP with
one softmax-like weight per token and sums over windows by masks, the LSTM with torch.nn.LSTM. Rows are drawn as mneme
draws them (Philox4x32-10), so that LanguageTrainer trains on the same batches.

    python3 make_training_steps.py    # PyTorch 2.13, safetensors; writes the file next to this script
"""
import math
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

VOCAB, WIDTH, HEADS, LAYERS, LENGTH = 32, 16, 2, 2, 12
ROWS, STEPS, WARMUP, TOKENS, SEED = 3, 10, 2, 400, 7
RATE, FINAL, DECAY, BETAS, CLIP = 1e-2, 0.1, 0.1, (0.9, 0.95), 0.5
MASK = (1 << 64) - 1


def mixed(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def stream(parent, number):
    return mixed(mixed((parent + 0x9E3779B97F4A7C15) & MASK) ^ number)


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def below(stream_id, bound):
    index = 0
    while True:
        block = index // 2
        words = philox((block & 0xFFFFFFFF, block >> 32, stream_id & 0xFFFFFFFF, stream_id >> 32),
                       (SEED & 0xFFFFFFFF, SEED >> 32))
        half = 2 * (index % 2)
        number = words[half] | (words[half + 1] << 32)
        if number >= (1 << 64) % bound:
            return number % bound
        index += 1


def positions(step):
    batch = stream(stream(0, 0x746F6B656E), step)
    return [below(stream(batch, row), TOKENS - LENGTH) for row in range(ROWS)]


class Gpt2(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = nn.ParameterDict({name.replace(".", "/"): nn.Parameter(value.clone()) for name, value in p.items()})

    def forward(self, ids):
        p = {name.replace("/", "."): value for name, value in self.p.items()}
        x = p["wte.weight"][ids] + p["wpe.weight"][: ids.shape[1]]
        for i in range(LAYERS):
            def get(name):
                return p[f"h.{i}.{name}"]
            y = F.layer_norm(x, (WIDTH,), get("ln_1.weight"), get("ln_1.bias"))
            q, k, v = (y @ get("attn.c_attn.weight") + get("attn.c_attn.bias")).split(WIDTH, dim=-1)
            q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
            x = x + y @ get("attn.c_proj.weight") + get("attn.c_proj.bias")
            y = F.layer_norm(x, (WIDTH,), get("ln_2.weight"), get("ln_2.bias"))
            y = F.gelu(y @ get("mlp.c_fc.weight") + get("mlp.c_fc.bias"), approximate="tanh")
            x = x + y @ get("mlp.c_proj.weight") + get("mlp.c_proj.bias")
        return F.layer_norm(x, (WIDTH,), p["ln_f.weight"], p["ln_f.bias"]) @ p["wte.weight"].T


def gpt2_parameters():
    shapes = {"wte.weight": (VOCAB, WIDTH), "wpe.weight": (LENGTH, WIDTH)}
    for i in range(LAYERS):
        shapes |= {f"h.{i}.ln_1.weight": (WIDTH,), f"h.{i}.ln_1.bias": (WIDTH,),
                   f"h.{i}.attn.c_attn.weight": (WIDTH, 3 * WIDTH), f"h.{i}.attn.c_attn.bias": (3 * WIDTH,),
                   f"h.{i}.attn.c_proj.weight": (WIDTH, WIDTH), f"h.{i}.attn.c_proj.bias": (WIDTH,),
                   f"h.{i}.ln_2.weight": (WIDTH,), f"h.{i}.ln_2.bias": (WIDTH,),
                   f"h.{i}.mlp.c_fc.weight": (WIDTH, 4 * WIDTH), f"h.{i}.mlp.c_fc.bias": (4 * WIDTH,),
                   f"h.{i}.mlp.c_proj.weight": (4 * WIDTH, WIDTH), f"h.{i}.mlp.c_proj.bias": (WIDTH,)}
    return shapes | {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}


class Leap(nn.Module):
    WINDOWS = [LENGTH, 4]  # of the published pattern

    def __init__(self, p):
        super().__init__()
        self.p = nn.ParameterDict({name.replace(".", "/"): nn.Parameter(value.clone()) for name, value in p.items()})

    def forward(self, ids):
        p = {name.replace("/", "."): value for name, value in self.p.items()}
        words = p["word_embedding.weight"]
        length = ids.shape[1]
        x = words[ids] + p["leap_model.position_embeddings.weight"][:length]
        scale = 1 / math.sqrt(WIDTH // HEADS)
        distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        for i in range(LAYERS):
            def get(name):
                return p[f"leap_model.decoders.{i}.{name}"]
            y = F.layer_norm(x, (WIDTH,), get("attn_norm.weight"), get("attn_norm.bias"))
            q, f, k, v = (t.unflatten(-1, (HEADS, -1)) for t in (y @ get("leap.projections.weight").T).chunk(4, dim=-1))
            weight = F.elu(scale * (f * k).sum(-1)) + 1                                    # [B, T, H]
            visible = ((distance >= 0) & (distance < self.WINDOWS[i])).to(x.dtype)         # [T, T]
            total = torch.einsum("ij,bjh->bih", visible, weight) + 1e-5
            mean_k = torch.einsum("ij,bjh,bjhd->bihd", visible, weight, k) / total[..., None]
            mean_v = torch.einsum("ij,bjh,bjhd->bihd", visible, weight, v) / total[..., None]
            gate = torch.sigmoid(scale * (q * mean_k).sum(-1, keepdim=True))
            x = x + (gate * mean_v).flatten(2)
            y = F.layer_norm(x, (WIDTH,), get("boom_norm.weight"), get("boom_norm.bias"))
            y = F.gelu(y @ get("boom.weight").T + get("boom.bias"))
            x = x + y @ get("unboom.weight").T + get("unboom.bias")
        return F.layer_norm(x, (WIDTH,), p["last_norm.weight"], p["last_norm.bias"]) @ words.T


def leap_parameters():
    shapes = {"word_embedding.weight": (VOCAB, WIDTH), "leap_model.position_embeddings.weight": (LENGTH, WIDTH)}
    for i in range(LAYERS):
        d = f"leap_model.decoders.{i}."
        shapes |= {d + "leap.projections.weight": (4 * WIDTH, WIDTH), d + "attn_norm.weight": (WIDTH,),
                   d + "attn_norm.bias": (WIDTH,), d + "boom.weight": (4 * WIDTH, WIDTH), d + "boom.bias": (4 * WIDTH,),
                   d + "unboom.weight": (WIDTH, 4 * WIDTH), d + "unboom.bias": (WIDTH,),
                   d + "boom_norm.weight": (WIDTH,), d + "boom_norm.bias": (WIDTH,)}
    return shapes | {"last_norm.weight": (WIDTH,), "last_norm.bias": (WIDTH,)}


class Lstm(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.word_embedding = nn.Embedding(VOCAB, WIDTH)
        self.rnn = nn.LSTM(WIDTH, WIDTH, num_layers=LAYERS, batch_first=True)
        self.last_norm = nn.LayerNorm(WIDTH)
        self.load_state_dict(p)

    def forward(self, ids):
        return self.last_norm(self.rnn(self.word_embedding(ids))[0]) @ self.word_embedding.weight.T


def lstm_parameters():
    shapes = {"word_embedding.weight": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        shapes |= {f"rnn.weight_ih_l{i}": (4 * WIDTH, WIDTH), f"rnn.weight_hh_l{i}": (4 * WIDTH, WIDTH),
                   f"rnn.bias_ih_l{i}": (4 * WIDTH,), f"rnn.bias_hh_l{i}": (4 * WIDTH,)}
    return shapes | {"last_norm.weight": (WIDTH,), "last_norm.bias": (WIDTH,)}


def is_norm_gain(name):
    return name.endswith("weight") and ("norm" in name or "ln_" in name)


def initial(shapes, generator):
    return {name: torch.randn(shape, generator=generator) * (0.1 if len(shape) == 1 else 0.3) +
            (1 if is_norm_gain(name) else 0) for name, shape in shapes.items()}


def rate(step):
    if step < WARMUP:
        return RATE * (step + 1) / (WARMUP + 1)
    last = RATE * FINAL
    return last + (RATE - last) * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def train(model, text):
    parameters = list(model.parameters())
    adam = torch.optim.AdamW([{"params": [x for x in parameters if x.dim() >= 2], "weight_decay": DECAY},
                              {"params": [x for x in parameters if x.dim() < 2], "weight_decay": 0.0}],
                             lr=RATE, betas=BETAS, eps=1e-8)
    losses, norms = [], []
    for step in range(STEPS):
        ids = torch.stack([text[i: i + LENGTH] for i in positions(step)])
        targets = torch.stack([text[i + 1: i + 1 + LENGTH] for i in positions(step)])
        adam.zero_grad()
        loss = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(parameters, CLIP)))
        for group in adam.param_groups:
            group["lr"] = rate(step)
        adam.step()
        losses.append(float(loss.detach()))
    return torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    # A text with structure, so that there is something to learn: a noisy cycle through the vocabulary.
    noise = torch.randint(0, 3, (TOKENS,), generator=generator)
    text = (torch.cumsum(noise, 0) * 5) % VOCAB
    tensors = {"text": text}
    for name, model_of, shapes in [("gpt2", Gpt2, gpt2_parameters()), ("leap", Leap, leap_parameters()),
                                   ("lstm", Lstm, lstm_parameters())]:
        state = initial(shapes, generator)
        losses, norms = train(model_of(state), text)
        prefix = f"{name}.state." + ("transformer." if name == "gpt2" else "")
        tensors |= {prefix + key: value for key, value in state.items()}
        tensors |= {f"{name}.losses": losses, f"{name}.norms": norms}
        print(name, [round(x, 5) for x in losses.tolist()], [round(x, 3) for x in norms.tolist()])
    save_file(tensors, pathlib.Path(__file__).with_name("training_steps.safetensors"))


if __name__ == "__main__":
    main()
