"""State cleared at every call: a service answers event by event, but starts with a new state each time.

Run in the folder examples: python -m failures.cleared_state
"""

from typing import Any

import torch

from unrolled.inspection.checks import forgets_state_between_calls
from unrolled.inspection.findings import Finding
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged


def main(broken: bool = True) -> Finding | None:
    """Return a service that ignores the state it is given; or one that continues from it."""
    torch.manual_seed(0)
    stack = Stack(2, 8, "gru", num_layers=2)

    def service(events: Ragged, state: Any) -> tuple[Ragged, Any]:
        return stack(events, None if broken else state)

    return forgets_state_between_calls(service, Ragged(torch.randn(14, 2), [4, 1, 9]))


if __name__ == "__main__":
    print(main())
