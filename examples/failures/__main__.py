"""Show all six bugs, each with the sentence of the check that finds it.

Run in the folder examples: python -m failures
"""

from failures import cleared_state, exploding, leaked_state, look_ahead, padding, vanishing

FAILURES = {
    "vanishing": vanishing.main,
    "exploding": exploding.main,
    "state leaked between sequences": leaked_state.main,
    "state cleared at every call": cleared_state.main,
    "padding that changes results": padding.main,
    "a look into the future": look_ahead.main,
}

if __name__ == "__main__":
    for name, failure in FAILURES.items():
        print(f"{name}\n  {failure()}\n")
