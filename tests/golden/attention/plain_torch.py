# SPDX-License-Identifier: MIT
"""The two models of the tutorial on attention in plain PyTorch, for golden files and as the peer in benchmarks."""

import math

import torch


class SelfAttention(torch.nn.Module):
    """Token plus learned position embedding, one head, a value of size 1, a linear readout over positions."""

    def __init__(self, length, size):
        super().__init__()
        self.positioner = torch.nn.Parameter(torch.empty(1, length, size))
        self.tokenizer = torch.nn.Embedding(2, size)
        self.Wq = torch.nn.Linear(size, size, bias=False)
        self.Wk = torch.nn.Linear(size, size, bias=False)
        self.Wv = torch.nn.Linear(size, 1, bias=False)
        self.linear = torch.nn.Linear(length, 1, bias=False)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=0.001)

    def elaborate(self, bits):
        x = self.tokenizer(bits) + self.positioner
        query, key, value = self.Wq(x), self.Wk(x), self.Wv(x)
        logits = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        scores = logits.softmax(-1)
        attention = (scores @ value).squeeze(-1)
        return logits, scores, attention, self.linear(attention).sigmoid().squeeze(-1)

    def forward(self, bits):
        return self.elaborate(bits)[-1]


class BinaryMLP(torch.nn.Module):
    """One hidden layer with GELU and dropout, then a sigmoid."""

    def __init__(self, length, hidden, dropout):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            [torch.nn.Linear(length, hidden), torch.nn.GELU(), torch.nn.Dropout(dropout), torch.nn.Linear(hidden, 1),
             torch.nn.Sigmoid()])
        torch.nn.init.normal_(self.layers[0].weight, std=0.02)
        torch.nn.init.zeros_(self.layers[0].bias)

    def forward(self, bits):
        x = bits.to(self.layers[0].weight.dtype)
        for layer in self.layers:
            x = layer(x)
        return x.squeeze(-1)


def train(model, bits, labels, epochs, learning_rate):
    """Full-batch Adam on the binary cross-entropy; [(epoch, loss, accuracy)] before the steps of epochs 1, 10, 20 ..."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    curve = []
    model.train()
    for epoch in range(1, epochs + 1):
        optimizer.zero_grad(set_to_none=True)
        output = model(bits)
        loss = torch.nn.functional.binary_cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        if epoch == 1 or epoch % 10 == 0:
            curve.append((epoch, loss.item(), ((output > 0.5) == (labels > 0.5)).double().mean().item()))
    return curve
