"""State leaked between sequences: texts are concatenated to one stream without a restart between them.

Run in the folder examples: python -m failures.leaked_state
"""

import torch

from unrolled.cells.lstm import LSTMCell
from unrolled.inspection.checks import leaks_state_between_sequences
from unrolled.inspection.findings import Finding
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged


def main(broken: bool = True) -> Finding | None:
    """One long stream without restarts; or with a restart before each first step."""
    torch.manual_seed(0)
    cell = LSTMCell(2, 8)

    def stream(inputs: Ragged) -> Ragged:
        firsts = inputs.positions == 0  # (N,)
        end_to_end = Ragged(inputs.values, [inputs.num_steps])
        outputs, _ = unroll(cell, end_to_end, reset=None if broken else firsts)
        return inputs.with_values(outputs.values)

    return leaks_state_between_sequences(stream, Ragged(torch.randn(14, 2), [4, 1, 9]))


if __name__ == "__main__":
    print(main())
