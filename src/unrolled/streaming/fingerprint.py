"""Fingerprints of models, which tell whether a state belongs to a model."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor


def fingerprint(plain: Any, tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits that change with anything that changes the meaning of a state.

    Args:
        plain: what the model learnt besides its weights, in plain values.
        tensors: the weights.

    Example:
        >>> import torch
        >>> one = fingerprint({"a": 1}, {"w": torch.zeros(2)})
        >>> len(one), one == fingerprint({"a": 1}, {"w": torch.zeros(2)}), one == fingerprint({"a": 2}, {})
        (16, True, False)
    """
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=str)
    found = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name].detach().cpu().numpy())
        found.update(f"{name} {values.dtype} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()
