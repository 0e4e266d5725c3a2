"""Compilation of a module to machine code in this process, with a cache on disk, see `cache`.

A file gets its final name only when it is complete, so processes that start together do not disturb each other.
"""

import ctypes
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from unrolled.kernels.cpu import cache as kept
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pool import Kernel, write_team

_lock = threading.Lock()
_loaded: dict[str, Kernel] = {}
_engines: list[llvm.ExecutionEngine] = []  # machine code lives as long as its engine


def load(name: str, machine: Machine, write: Callable[[ir.Module], None]) -> Kernel:
    """Load the function `kernel` of a module, compiled now or from the cache.

    Args:
        name: unique name of this kernel.
        machine: the processor to compile for.
        write: writes the function `kernel` and its helpers into an empty module.
    """
    key = f"{name}-{machine.name}"
    with _lock:
        if key not in _loaded:
            file = f"{key}-{_fingerprint(machine)}.o"
            code = kept.found(file)
            if code is None:
                code = compiled(machine, write)
                kept.keep(file, code)
            _loaded[key] = _linked(code)
        return _loaded[key]


def compiled(machine: Machine, write: Callable[[ir.Module], None]) -> bytes:
    """Compile a module to machine code, as an object file."""
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
    """Return a digest of the sources of this folder, the compiler and the processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(f"{llvmlite.__version__} {sys.version} {machine}".encode())
    return digest.hexdigest()[:24]


if hasattr(os, "register_at_fork"):  # a child must not inherit the lock of a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
