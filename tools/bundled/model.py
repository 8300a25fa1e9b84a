"""A Qwen2 decoder in plain PyTorch, small and quick on a CPU, with the weights llama.cpp's `qwen2` expects."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    intermediate: int = 768
    context: int = 512
    rope_base: float = 10_000.0
    norm_eps: float = 1e-6


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = nn.RMSNorm(shape.hidden, shape.norm_eps)
        self.attn_qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.attn_output = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.hidden, shape.norm_eps)
        self.ffn_gate_up = nn.Linear(shape.hidden, 2 * shape.intermediate, bias=False)
        self.ffn_down = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        q, k, v = self.attn_qkv(self.attn_norm(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # Written out: PyTorch's fused attention took 43 % of a step on a CPU, for texts of some 40 tokens.
        scores = _rotated(q, cos, sin) @ _rotated(k, cos, sin).transpose(-1, -2) * (hidden // self.heads) ** -0.5
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        mixed = scores.masked_fill(future, float("-inf")).softmax(-1) @ v
        x = x + self.attn_output(mixed.transpose(1, 2).reshape(batch, length, hidden))
        gate, up = self.ffn_gate_up(self.ffn_norm(x)).chunk(2, dim=-1)
        return x + self.ffn_down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.hidden)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.hidden, shape.norm_eps)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.02 / ((2 * shape.layers) ** 0.5 if deep else 1))
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, tokens: Tensor, wanted: Tensor) -> Tensor:
        """Logits at the `wanted` places (a mask shaped as `tokens`): [places, vocabulary]."""
        x = self.token_embd(tokens)
        cos, sin = self._angles(tokens.shape[1])
        for block in self.blk:
            x = block(x, cos, sin)
        return F.linear(self.output_norm(x[wanted]), self.token_embd.weight)

    def _angles(self, length: int) -> tuple[Tensor, Tensor]:
        size = self.shape.hidden // self.shape.heads
        speeds = self.shape.rope_base ** (-torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(length), speeds).repeat(1, 2)
        return angles.cos(), angles.sin()


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
