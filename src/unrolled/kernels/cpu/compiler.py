"""From a written module to machine code in this process, kept on disk between processes.

The cache lies in `UNROLLED_CACHE_DIR`, else in the user's cache folder; where neither can be written, every
process compiles for itself. A file appears under its final name only when it is whole, so processes that start
together do not disturb each other.
"""

import ctypes
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pool import Kernel, write_team

DIGEST_BYTES = 32  # of SHA-256, before the code: a damaged file is compiled again
FOLDER_VARIABLE = "UNROLLED_CACHE_DIR"
_lock = threading.Lock()
_loaded: dict[str, Kernel] = {}
_engines: list[llvm.ExecutionEngine] = []  # machine code lives as long as its engine


def load(name: str, machine: Machine, write: Callable[[ir.Module], None]) -> Kernel:
    """The function `kernel` of a module, compiled or from the cache.

    Args:
        name: tells this kernel from every other one.
        machine: the processor to compile for.
        write: writes the function `kernel` and what it calls into an empty module.
    """
    key = f"{name}-{machine.name}"
    with _lock:
        if key not in _loaded:
            path = folder() / f"{key}-{_fingerprint(machine)}.o"
            code = _found(path)
            if code is None:
                code = compiled(machine, write)
                _keep(path, code)
            _loaded[key] = _linked(code)
        return _loaded[key]


def compiled(machine: Machine, write: Callable[[ir.Module], None]) -> bytes:
    """Machine code of a module, as an object file."""
    module = ir.Module(name="unrolled")
    module.triple = llvm.get_process_triple()
    write(module)
    write_team(module, machine)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    target = _target(machine)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False  # tiles are vectors already
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(parsed, builder)
    return target.emit_object(parsed)


def _target(machine: Machine) -> llvm.TargetMachine:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=machine.cpu, features=machine.features, opt=2, reloc="default", codemodel="jitdefault", jit=True
    )


def _linked(code: bytes) -> Kernel:
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine()
    )
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("kernel"))
    return Kernel(run, engine.get_function_address("team"))


@cache
def _fingerprint(machine: Machine) -> str:
    """Changes with the sources of this folder, the compiler and the processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(f"{llvmlite.__version__} {sys.version} {machine}".encode())
    return digest.hexdigest()[:24]


def folder() -> Path:
    """Where compiled code is kept."""
    asked = os.environ.get(FOLDER_VARIABLE)
    if asked:
        return Path(asked)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "unrolled" / "kernels"


def _found(path: Path) -> bytes | None:
    """The machine code of a file, if it is there and whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(path: Path, code: bytes) -> None:
    """Write whole or not at all; a folder that cannot be written only costs the next process its time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(file.name).replace(path)
    except OSError:
        return
