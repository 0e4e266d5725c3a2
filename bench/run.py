"""Run every benchmark that needs no data, one after another; `bench/quality.py` needs a data folder.

Run: python bench/run.py
"""

import subprocess
import sys
from pathlib import Path

PROGRAMS = ("kernels.py", "streams.py", "processes.py", "throughput.py", "translation.py", "decoding.py", "codecs.py")
PROGRAMS += ("abuse.py",)


def main() -> None:
    """Run each program in a separate process and stop at the first that fails."""
    for name in PROGRAMS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).parent / name)], check=True)


if __name__ == "__main__":
    main()
