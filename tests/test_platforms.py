"""What Linux alone has is never taken for granted: each name stands where its absence is looked for."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "unrolled"

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "posix", "tty", "syslog"}
NAMES = re.compile(
    r"os\.(fork|forkpty|register_at_fork|getuid|geteuid|getgid|getegid|sysconf|mkfifo|uname|getloadavg|sched_\w+|chown"
    r"|fchmod|killpg|setsid|O_NOFOLLOW|O_DIRECTORY|O_NONBLOCK|O_CLOEXEC)"
    r"|signal\.(SIGHUP|SIGKILL|SIGALRM|SIGUSR[12]|SIGPIPE|SIGQUIT|alarm|setitimer|pthread_\w+)"
    r"|socket\.(AF_UNIX|TCP_USER_TIMEOUT|SO_REUSEPORT)|\w+\.(add_signal_handler|remove_signal_handler)"
)
FILES = re.compile(r"/(proc|sys|dev)(/|$)")
GUARDS = ("hasattr(os", "hasattr(signal", "hasattr(socket", "os.name", "sys.platform", "except ImportError")
# looked for by the one that calls, and a file that does without when its folders are not there
CALLED_UNDER_A_GUARD = {"kernels/cpu/trust.py", "tasks/shared/free_memory.py"}


def test_what_unix_alone_has_stands_beside_a_guard():
    bare = {}
    for file in SOURCE.rglob("*.py"):
        text, name = file.read_text(encoding="utf-8"), file.relative_to(SOURCE).as_posix()
        found = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and NAMES.fullmatch(ast.unparse(node)):
                found.add(ast.unparse(node))
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names} & MODULES
            elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
                found.add(node.module)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and FILES.match(node.value):
                found.add(node.value)
        if found and name not in CALLED_UNDER_A_GUARD and not any(guard in text for guard in GUARDS):
            bare[name] = sorted(found)
    assert bare == {}


PROGRAM = """
import builtins, io, os, signal, tempfile, warnings
# they ask for the system by its name
import fastapi, platformdirs, polars, psutil, sklearn.linear_model, torch, torch.optim, uvicorn
GONE = "fork forkpty register_at_fork getuid geteuid getegid sysconf O_NOFOLLOW O_DIRECTORY"
for name in GONE.split():
    if hasattr(os, name):
        delattr(os, name)
if hasattr(signal, "SIGHUP"):
    del signal.SIGHUP
os.supports_dir_fd.clear()
opened = builtins.open
def refuse(file, *words, **options):
    if str(file).startswith(("/proc", "/sys")):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return opened(file, *words, **options)
builtins.open = io.open = refuse
warnings.filterwarnings("ignore", message="compiled kernels are not kept")  # the cache folder may lie outside the home

import unrolled as ur
from unrolled.serving import signals
from unrolled.kernels.cpu import cache
assert cache._open.__module__.endswith("by_path")
assert signals.RELOADING == ()
rows = [{"x": "ab" * (1 + row % 3), "y": str(row % 2)} for row in range(80)]
model = ur.Classifier(hidden_size=4, target="y").fit(rows, epochs=1, device="cpu", precision="auto")
assert model.scores_ is not None
with tempfile.TemporaryDirectory() as folder:
    again = ur.load(model.save(f"{folder}/m"))
assert (again.predict(rows) == model.predict(rows)).all()
print("right")
"""


def test_a_model_is_fitted_and_kept_where_there_is_nothing_of_unix():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "USERNAME": "ada"}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.stdout == "right\n", done.stderr


def test_the_oldest_torch_is_the_one_that_the_tests_run_with():
    """An older one may import and still compute something else: a lower bound is a promise."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (asked,) = (line for line in project["dependencies"] if line.startswith("torch"))
    pinned = re.search(r"^torch==(\d+\.\d+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert asked == f"torch>={pinned[1]}"
