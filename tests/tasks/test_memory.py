"""A run that cannot fit is refused before it starts, and one that fits is not."""

import pytest
import torch

from random_sequences import some_ragged
from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.encoders import RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.errors import OptionError
from unrolled.nn import recompute
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.tasks.shared import memory_estimate
from unrolled.tasks.shared.memory_estimate import check_memory, estimate_memory
from unrolled.tasks.vectors.sequence_model import SequenceModel
from unrolled.training.options import TrainingOptions

STEPS = 20_000


def options(**given: object) -> TrainingOptions:
    return TrainingOptions.from_keywords({"device": "cpu", **given}, {})


def examples(*lengths: int) -> Batch:
    return Batch({"x": some_ragged(lengths, 3, dtype=torch.float32)})


@pytest.fixture
def network() -> Stack:
    with torch.device("meta"):
        return Stack(3, 16, num_layers=2)


@pytest.fixture
def small_budget(monkeypatch):
    """A layer recomputes by itself from a tenth of the steps."""
    monkeypatch.setattr(recompute, "BUDGET", STEPS // 10 * 5 * 16 * 4)


@pytest.mark.usefixtures("small_budget")
def test_what_fits_only_because_its_layers_recompute_is_not_refused(network, monkeypatch):
    long = examples(STEPS)
    needed = estimate_memory(network, long, options())
    monkeypatch.setattr(memory_estimate, "free_memory", lambda: needed)
    check_memory(network, long, options())
    monkeypatch.setattr(recompute, "BUDGET", 2**30)
    assert estimate_memory(network, long, options()) > 2 * needed
    with pytest.raises(OptionError, match="free memory"):
        check_memory(network, long, options())


@pytest.mark.usefixtures("small_budget")
def test_recomputing_does_not_make_everything_fit(network, monkeypatch):
    shown = 2 * 16 * 4 * STEPS  # a float32 output of both layers at every step is kept in any case
    assert estimate_memory(network, examples(STEPS), options()) > shown
    monkeypatch.setattr(memory_estimate, "free_memory", lambda: shown)
    with pytest.raises(OptionError, match="free memory"):
        check_memory(network, examples(STEPS), options())


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize(
    ("lengths", "given"),
    [([50] * (STEPS // 50), {"batch_size": STEPS // 50}), ([STEPS], {"bptt_steps": 50}), ([STEPS], {"device": "cuda"})],
    ids=["short sequences", "truncated", "on a GPU"],
)
def test_where_no_layer_recomputes_the_estimate_counts_every_step(network, lengths, given, monkeypatch):
    monkeypatch.setattr(memory_estimate, "choose_device", torch.device)  # as if there were a GPU
    found = estimate_memory(network, examples(*lengths), options(**given))
    monkeypatch.setattr(recompute, "BUDGET", 2**30)
    assert found == estimate_memory(network, examples(*lengths), options(**given))


@pytest.mark.usefixtures("small_budget")
def test_a_task_learns_from_a_sequence_that_fits_only_by_recomputing(monkeypatch):
    model, frames = SequenceModel(hidden_size=16, dropout=0.0), some_ragged([STEPS], 3).values.tolist()
    fast = {"epochs": 1, "validation": 0.0, "batch_size": 1, "device": "cpu", "baselines": False}
    monkeypatch.setattr(memory_estimate, "free_memory", lambda: 4 * 16 * 8 * STEPS)
    model.fit([{"frames": frames}], **fast)
    monkeypatch.setattr(recompute, "BUDGET", 2**30)
    with pytest.raises(OptionError, match="free memory"):
        model.fit([{"frames": frames}], **fast)


@pytest.mark.parametrize("attention", ["multiplicative", "additive"])
def test_what_attention_and_a_vocabulary_keep_is_counted(attention):
    def needed(reads: int, writes: int, size: int) -> int:
        with torch.device("meta"):
            encoder = RecurrentEncoder(InputLayer({"source": Spec("index", 9, 4)}), Stack(4, 8, bidirectional=True))
            decoder = AttendingDecoder(size, encoder.memory_size, encoder.summary_size, 8, 8, attention=attention)
            network = EncoderDecoder(encoder, decoder)
        source, target = Ragged(torch.zeros(reads, dtype=torch.int64), [reads]), torch.zeros(writes, dtype=torch.int64)
        batch = Batch({"target": Ragged(target, [writes])}, sources={"source": source})
        return estimate_memory(network, batch, options())

    logits = 4 * 500 * 50_000
    assert needed(20, 500, 50_100) > needed(20, 500, 100) + 2 * logits
    one_place = (needed(600, 500, 100) - needed(500, 500, 100)) / 100  # bytes of one more place to look at
    assert one_place > 4 * 500 * (2 * 8 if attention == "additive" else 2)
