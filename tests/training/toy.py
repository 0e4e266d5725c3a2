"""A small recurrent model, small data, and programs that other processes run."""

import atexit
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, LossSum
from unrolled.ragged import Ragged
from unrolled.training import until_done
from unrolled.training.options import TrainingOptions
from unrolled.training.trainer import Trainer


class ToyState(NamedTuple):
    hidden: Tensor  # (B, H)
    steps: tuple[Tensor, None]  # nested on purpose: how many steps each row has seen, (B,)


class Toy(nn.Module):
    """Embeds symbols, runs a GRU cell step by step, predicts a number at every step."""

    def __init__(self, hidden: int = 5, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.cell = nn.GRUCell(4, hidden)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, 1)

    def loss(self, batch: Batch, state: ToyState | None = None) -> LossSum:
        tokens, targets = batch.inputs["x"], batch.targets
        rows = batch.batch_size
        hidden, seen = (torch.zeros(rows, self.cell.hidden_size), torch.zeros(rows)) if state is None else (
            state.hidden, state.steps[0])  # fmt: skip
        reset = torch.zeros(tokens.num_steps, dtype=torch.bool) if batch.reset is None else batch.reset
        resets = Ragged(reset, batch.lengths).padded()
        inputs, mask, outputs = tokens.padded(), tokens.mask(), []
        for t in range(tokens.max_length):
            hidden = torch.where(resets[:, t, None], torch.zeros(()), hidden)
            new = self.cell(self.table(inputs[:, t]), hidden).to(hidden.dtype)
            hidden = torch.where(mask[:, t, None], new, hidden)
            outputs.append(self.out(self.dropout(hidden))[:, 0])
        seen = seen + batch.lengths
        new_state = ToyState(hidden, (seen, None))
        if not outputs:
            return LossSum(hidden.sum() * 0, 0.0, new_state)
        predicted = torch.stack(outputs, 1)[mask]  # (N,)
        total = (predicted.float() - targets.values).square().sum()
        return LossSum(total, float(targets.num_steps), new_state)


class Dealt:
    """Batches in an order that depends on the epoch; with `bptt`, each comes in chunks of that many steps."""

    def __init__(self, examples: Batch, size: int, seed: int = 0, shuffle: bool = True, bptt: int = 0) -> None:
        self.examples, self.size, self.seed, self.shuffle, self.bptt = examples, size, seed, shuffle, bptt
        self.length = len(list(self.epoch(0)))

    def __len__(self) -> int:
        return self.length

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        for number, batch in enumerate(self._all(index)):
            if number >= start:
                yield batch

    def _all(self, index: int) -> Iterator[Batch]:
        rows = len(self.examples)
        generator = torch.Generator().manual_seed(1000 * self.seed + index)
        order = torch.randperm(rows, generator=generator) if self.shuffle else torch.arange(rows)
        for chosen in order.split(self.size):
            batch = self.examples.select(chosen)
            yield from chunks(batch, self.bptt) if self.bptt else [batch]


def chunks(batch: Batch, steps: int) -> Iterator[Batch]:
    """A batch cut along time; every chunk but the first carries on."""
    for start in range(0, int(batch.lengths.max()), steps):
        part = batch.slice_time(start, start + steps)
        yield Batch(part.inputs, part.statics, part.targets, part.reset, carries=start > 0)


def examples(rows: int = 12, seed: int = 0, shortest: int = 1, longest: int = 9) -> Batch:
    """Random symbols; the target at each step is the mean of the symbols so far."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (rows,), generator=generator)
    sequences = [torch.randint(7, (int(n),), generator=generator) for n in lengths]
    targets = [(s.float().cumsum(0) / torch.arange(1, len(s) + 1)) / 7 for s in sequences]
    return Batch({"x": Ragged.from_sequences(sequences)}, targets=Ragged.from_sequences(targets))


def toy(seed: int = 3, **options) -> Toy:
    torch.manual_seed(seed)
    return Toy(**options)


def train(model=None, batches=None, validate=None, callbacks=(), **options) -> tuple[Trainer, dict[str, Tensor]]:
    """A short run with mild defaults; gives the trainer and a copy of the weights."""
    options = {"epochs": 2, "learning_rate": 0.01, "device": "cpu", **options}
    model = toy() if model is None else model
    batches = Dealt(examples(), 4) if batches is None else batches
    trainer = Trainer(model, batches, TrainingOptions(**options), validate=validate, callbacks=callbacks)
    trainer.run()
    return trainer, weights(model)


def shorten(patch: Any) -> None:
    """Let runs without a length take a tenth of the updates; `patch` is pytest's monkeypatch."""
    short = {"LEAST_UPDATES": 30, "MOST_UPDATES": 200, "LEAST_DECAY": 5, "LOOK_UPDATES": 2}
    for name, value in {**short, "PASSES": 2, "UNWATCHED_PASSES": 6}.items():
        patch.setattr(until_done, name, value)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def gap(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


# ---- programs ---------------------------------------------------------------------------------------

RESUMABLE = {"epochs": 3, "checkpoint_minutes": 0.0, "average": 0.5, "accumulate": 2, "patience": 5}


def resumable(folder: str, callbacks=(), **options) -> tuple[Trainer, dict[str, Tensor]]:
    """A run with everything that a checkpoint must hold: dropout, carried state, an average, accumulation."""
    return train(
        toy(dropout=0.3),
        Dealt(examples(16), 4, bptt=3),
        Dealt(examples(6, seed=9), 6, shuffle=False),
        callbacks,
        **{**RESUMABLE, "checkpoint": folder, **options},
    )


def distributed(folder: str = "", **options) -> tuple[Trainer, dict[str, Tensor]]:
    """13 rows in batches of 6, 6 and 1: the last leaves the second process without a row."""
    return train(
        toy(),
        Dealt(examples(13), 6, bptt=4),
        Dealt(examples(5, seed=9), 2, shuffle=False, bptt=4),
        **{"epochs": 2, "checkpoint": folder, "checkpoint_minutes": 0.0, "max_grad_norm": 0.1, "optimizer": "sgd",
           "learning_rate": 0.1, **options},
    )  # fmt: skip


if __name__ == "__main__":  # under torchrun: two epochs, a third from the checkpoint, and a run without a length
    out, rank = Path(sys.argv[1]), os.environ["RANK"]

    @atexit.register  # before the trainer registers its own, so this runs after that
    def note_threads() -> None:
        names = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
        (out / f"threads{rank}.txt").write_text("\n".join(names))

    torch.set_num_threads(1)
    trainer, kept = distributed(str(out / "checkpoints"))
    (out / f"history{rank}.json").write_text(json.dumps(trainer.history.to_json()))
    torch.save(kept, out / f"weights{rank}.pt")
    _, kept = distributed(str(out / "checkpoints"), resume=True, epochs=3)
    torch.save(kept, out / f"resumed{rank}.pt")
    shorten(SimpleNamespace(setattr=setattr))
    until, kept = distributed(epochs=0)
    torch.save((kept, until.at.update, until.history.stopped), out / f"until{rank}.pt")
