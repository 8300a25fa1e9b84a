"""Train the bundled SQL model on generated questions: `python train.py TOKENIZER.json OUT_DIR --minutes 40`."""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import generate
import torch
import torch.nn.functional as F
from model import Decoder, Shape
from tokenizer import ANSWER, END, QUESTION
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

TOKENS_PER_BATCH, CHUNK, LONGEST = 5120, 4096, 220


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, help="end by the clock instead, wherever the steps have got to")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=60)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--from", dest="start", type=Path, help="a model.pt to go on from")
    parser.add_argument("--polish", type=float, default=0.18, help="share of Polish questions")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--save-every", type=int, default=200)
    run(parser.parse_args())


def run(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    # Lets oneDNN multiply in bfloat16 where the CPU can: 2 to 5 times float32 at our shapes on two AVX512-BF16 cores.
    torch.set_float32_matmul_precision("medium")
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    shape = Shape(
        tokenizer.get_vocab_size(),
        hidden=args.hidden,
        layers=args.layers,
        heads=args.hidden // 64,
        intermediate=args.hidden * 2,
    )
    model = Decoder(shape)
    if args.start:
        model.load_state_dict(torch.load(args.start)["weights"])
    optimizers = _optimizers(model, args.rate)
    args.out.mkdir(parents=True, exist_ok=True)
    print(
        f"{sum(weight.numel() for weight in model.parameters()):,} parameters, vocabulary {shape.vocabulary}",
        flush=True,
    )
    began, seen, tokens, recent = time.time(), 0, 0, 0.0
    # Another process writes the questions, so that the two cores never wait for them.
    loader = DataLoader(
        Questions(args.tokenizer, args.seed, args.polish), batch_size=None, num_workers=1, prefetch_factor=40
    )
    for step, (batch, answers) in enumerate(loader, start=1):
        done = (time.time() - began) / 60 / args.minutes if args.minutes else step / args.steps
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = args.rate * _schedule(step, args.warmup, done)
        loss = F.cross_entropy(model(batch[:, :-1], answers[:, 1:]), batch[:, 1:][answers[:, 1:]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen, tokens = seen + len(batch), tokens + int((batch != 0).sum())
        recent = loss.item() if step == 1 else 0.95 * recent + 0.05 * loss.item()
        if step % 20 == 0:
            spent = time.time() - began
            print(
                f"step {step} loss {recent:.4f} examples {seen} tokens/s {tokens / spent:.0f} cpu {time.process_time():.0f}s",
                flush=True,
            )
        if step % args.save_every == 0 or done >= 1:
            save(model, args.out, {"step": step, "examples": seen, "tokens": tokens, "loss": recent, "seed": args.seed,
                                   "seconds": time.time() - began, "cpu_seconds": time.process_time()})  # fmt: skip
        if done >= 1:
            return


def save(model: Decoder, out: Path, facts: dict[str, float]) -> None:
    torch.save({"weights": model.state_dict(), "shape": asdict(model.shape)}, out / "model.tmp")
    (out / "model.tmp").replace(out / "model.pt")
    (out / "facts.json").write_text(json.dumps(facts))


class Questions(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches: pairs of [rows, length], token ids (0 pads) and a mask of the answer's tokens."""

    def __init__(self, tokenizer: Path, seed: int, polish: float) -> None:
        self.tokenizer, self.seed, self.polish = tokenizer, seed, polish

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from batches(Tokenizer.from_file(str(self.tokenizer)), self.seed, self.polish)


def batches(tokenizer: Tokenizer, seed: int, polish: float) -> Iterator[tuple[Tensor, Tensor]]:
    rng = random.Random(seed)
    stream = generate.examples(seed, polish_share=polish)
    end, question, answer = (tokenizer.token_to_id(token) for token in (END, QUESTION, ANSWER))
    while True:
        chunk = list(islice(stream, CHUNK))
        asked = tokenizer.encode_batch([example.question for example in chunk])
        given = tokenizer.encode_batch([example.sql for example in chunk])
        rows = [([question, *q.ids, answer], [*a.ids, end]) for q, a in zip(asked, given, strict=True)]
        rows = sorted(
            (row for row in rows if len(row[0]) + len(row[1]) <= LONGEST),
            key=lambda row: (len(row[0]) + len(row[1]), rng.random()),
        )
        cut: list[list[tuple[list[int], list[int]]]] = []
        start = 0
        while start < len(rows):
            stop = start + 1
            while (
                stop < len(rows) and (stop + 1 - start) * (len(rows[stop][0]) + len(rows[stop][1])) <= TOKENS_PER_BATCH
            ):
                stop += 1
            cut.append(rows[start:stop])
            start = stop
        rng.shuffle(cut)
        yield from map(_padded, cut)


def _padded(rows: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor]:
    longest = max(len(asked) + len(given) for asked, given in rows)
    tokens, answers = (
        torch.zeros(len(rows), longest, dtype=torch.long),
        torch.zeros(len(rows), longest, dtype=torch.bool),
    )
    for index, (asked, given) in enumerate(rows):
        end = len(asked) + len(given)
        tokens[index, :end] = torch.tensor(asked + given)
        answers[index, len(asked) : end] = True
    return tokens, answers


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by Newton-Schulz steps, matrices of one shape at once (PyTorch's own goes one by one, in
    bfloat16 throughout, and took nearly as long as the backward pass on two cores)."""

    def __init__(self, matrices: list[Tensor], lr: float, decay: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "decay": decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        group = self.param_groups[0]
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for weight in group["params"]:
            by_shape.setdefault(weight.shape, []).append(weight)
        for shape, weights in by_shape.items():
            for weight in weights:
                self.state[weight].setdefault("moving", torch.zeros_like(weight)).lerp_(
                    weight.grad, 1 - group["momentum"]
                )
            ahead = [weight.grad.lerp(self.state[weight]["moving"], group["momentum"]) for weight in weights]
            # The size of an AdamW step, so that one learning rate serves both optimizers.
            scale = group["lr"] * 0.2 * max(shape) ** 0.5
            for weight, update in zip(weights, _orthogonal(torch.stack(ahead)), strict=True):
                weight.mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-scale)


def _orthogonal(stack: Tensor) -> Tensor:
    tall = stack.shape[-2] > stack.shape[-1]
    x = stack.mT if tall else stack
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.mT if tall else x


def _optimizers(model: Decoder, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for embeddings, norms and biases."""
    matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "token_embd" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.dim() == 1 or "token_embd" in name]
    return [
        Muon(matrices, rate, decay=0.05),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def _schedule(step: int, warmup: int, done: float) -> float:
    """Share of the peak rate: a short warm-up, then a cosine down to 2 %."""
    return min(step / warmup, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


if __name__ == "__main__":
    main()
