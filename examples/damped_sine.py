"""Continue a damped sine wave: a stacked LSTM reads the first part and predicts the next 40 steps.

Run: python examples/damped_sine.py [--seed 0] [--out damped_sine.png]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

SEEN, AHEAD = 60, 40


def make(count: int, seed: int) -> np.ndarray:
    """Return waves of random period, decay and phase: (count, SEEN + AHEAD)."""
    rng = np.random.default_rng(seed)
    time = np.arange(SEEN + AHEAD)
    period, decay, phase = (rng.uniform(*bounds, (count, 1)) for bounds in ((15, 30), (0.01, 0.03), (0, 6.3)))
    return np.sin(2 * np.pi * time / period + phase) * np.exp(-decay * time)


def records(waves: np.ndarray) -> list[dict[str, list[list[float]]]]:
    """Return waves as sequences of vectors of one number."""
    return [{"wave": wave[:, None].tolist()} for wave in waves]


def main(seed: int, out: Path) -> float:
    """Train on the next steps of 500 waves, then continue new waves from their first part, with its own predictions."""
    model = ur.SequenceModel("wave", cell="lstm", num_layers=2, hidden_size=48, dropout=0.0)
    waves = make(500, seed)
    model.fit(
        [{"wave": wave[:, None].tolist()} for wave in waves], epochs=40, batch_size=25, learning_rate=5e-3, seed=seed
    )
    fresh = make(20, seed + 1)
    print(model.evaluate([{"wave": wave[:, None].tolist()} for wave in fresh]))
    written = np.array([model.generate(wave[:SEEN, None], AHEAD)[:, 0] for wave in fresh])
    error = np.sqrt(np.mean((written - fresh[:, SEEN:]) ** 2))
    last = np.sqrt(np.mean((fresh[:, SEEN - 1 : SEEN] - fresh[:, SEEN:]) ** 2))
    print(f"{AHEAD} steps from its own predictions: error {error:.3f}, repeating the last value {last:.3f}")
    ahead = range(SEEN, SEEN + AHEAD)
    show(out, "A damped wave, continued", lines={"true": fresh[0], "continued": (ahead, written[0])}, x="step")
    return float(error / last)


if __name__ == "__main__":
    main(**arguments(__doc__, "damped_sine.png"))
