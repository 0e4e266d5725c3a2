"""The verdict on gradient flow for models that it was not tuned on: real tasks, trained, healthy and broken.

The first group changed thresholds and causes, the second changed two more, the third only confirms. A model has learnt
if it beats the best baseline by a fifth of its errors, or by a twentieth of its loss.

Run: python bench/verdicts.py [--only WORD ...]
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from inspection import held_out, held_out_again

HEALTHY = {"1": held_out.HEALTHY, "2": held_out_again.HEALTHY, "3": held_out_again.HEALTHY_AT_LAST}
BROKEN = {"1": held_out.BROKEN, "2": held_out_again.BROKEN, "3": held_out_again.BROKEN_AT_LAST}


def chosen(cases: Mapping[str, Any], only: list[str]) -> dict[str, Any]:
    """Those whose names contain one of the words."""
    return {name: case for name, case in cases.items() if not only or any(word in name for word in only)}


def healthy(cases: Mapping[str, Callable[[], held_out.Case]]) -> str:
    """Print the gain and the verdict of every model; return a summary of those that have learnt."""
    learnt = silent = looks = alarmed = 0
    for name, make in cases.items():
        start = time.perf_counter()
        outcome = held_out.run(make())
        causes = ", ".join(finding.cause for finding in outcome.findings) or "healthy"
        seconds = time.perf_counter() - start
        on_the_way = f"{len(outcome.alarms)} of {len(outcome.flows)} measurements"
        print(f"  {name:52} {outcome.gain:+7.0%}  {causes}; {on_the_way}  ({seconds:.0f} s)", flush=True)
        if outcome.has_learnt:
            learnt, silent = learnt + 1, silent + (not outcome.findings)
            looks, alarmed = looks + len(outcome.flows), alarmed + len(outcome.alarms)
    return f"{silent} of {learnt} that have learnt are called healthy; alarms at {alarmed} of {looks} measurements"


def broken(cases: Mapping[str, tuple[set[str], Callable[[], held_out.Case]]]) -> str:
    """Print the verdict on every fault; return a summary."""
    noticed = named = 0
    for name, (expected, make) in cases.items():
        outcome = held_out.run(make(), baselines=False)
        hit = bool(expected & set(outcome.causes))
        noticed, named = noticed + bool(outcome.causes), named + hit
        print(f"  {name:66} {'named' if hit else 'NOT NAMED'}: {', '.join(outcome.causes) or 'healthy'}", flush=True)
    return f"{noticed} of {len(cases)} are noticed, of {named} the cause is named first"


def main() -> None:
    """Run all groups."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    summaries = []
    for kind, lots, work in (("healthy", HEALTHY, healthy), ("broken", BROKEN, broken)):
        for lot, cases in lots.items():
            print(f"\nGroup {lot}, {kind}")
            summaries.append(f"lot {lot}, {kind}: {work(chosen(cases, only))}")  # type: ignore[operator]
    print("\n" + "\n".join(summaries))


if __name__ == "__main__":
    main()
