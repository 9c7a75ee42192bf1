"""Write kernel source files into the cache and import them: one per law and template, named by a hash."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

from mho.devices.base import Device, law_arguments
from mho.errors import MhoError
from mho.folders import cache_folder, write_text
from mho.kernels.arguments import numbered, template
from mho.kernels.translate import law_source
from mho.random import shared_source


@lru_cache(maxsize=1)
def _shared() -> str:
    text = shared_source().replace("def ", "@compiled\ndef ")
    return "\ncompiled = njit(nogil=True, error_model=\"numpy\")\n\n" + text


@lru_cache(maxsize=1)
def _versions() -> str:
    import llvmlite
    import numba

    from mho.version import __version__

    threads = os.environ.get("NUMBA_CPU_NAME", "") + os.environ.get("NUMBA_OPT", "")
    versions = (__version__, numba.__version__, llvmlite.__version__, sys.version)
    return " ".join((*versions, platform.processor(), threads))


def compile_source(text: str, label: str) -> ModuleType:
    """Import a kernel file of this text from the cache; write it whole where it is missing or damaged."""
    digest = hashlib.blake2b((text + _versions()).encode(), digest_size=12).hexdigest()
    try:
        path = cache_folder("kernels") / f"{label}_{digest}.py"
        if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != text:
            write_text(path, text)
    except OSError as error:
        raise MhoError(
            f"kernels are compiled into mho's cache folder, which cannot be written ({error}); "
            "set the environment variable MHO_CACHE to a folder that can"
        ) from error
    try:
        return _load(path)
    except Exception:
        compiled = list(path.parent.glob(f"__pycache__/{path.stem}.*.nb[ic]"))
        for damaged in compiled:
            damaged.unlink(missing_ok=True)
        if not compiled:
            raise
        return _load(path)


def _load(path: Path) -> ModuleType:
    name = f"mho_kernel_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@cache
def plain_kernels(name: str) -> ModuleType:
    """Return the module of a template that needs no law."""
    return compile_source(template("prelude") + _shared() + "\n\n" + numbered(template(name)), name)


def _indent(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)


def pulse_source(device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the pulse kernel of a law; `per_cell` says which of its arrays differ by cell."""
    names, states = law_arguments(device), tuple(device.state)
    bind = [f"p_{n} = floats(a.table_{i}, big)" for i, n in enumerate(names)]
    bind += [f"s_{n} = floats(a.table_{len(names) + i}, big)" for i, n in enumerate(states)]
    taken = [f"p_{n}[i]" if cell else f"p_{n}[u64(c)]" for n, cell in zip(names, per_cell, strict=True)]
    extra = [f"s_{n}[i]" for n in states]
    call = f"law_pulse({', '.join(['state[i]', 'up', 'xi[u64(e)]', *extra, *taken])})"
    if states:
        apply = [f"new_w, {', '.join('new_' + n for n in states)} = {call}", "state[i] = f32(new_w)"]
        apply += [f"s_{n}[i] = f32(new_{n})" for n in states]
    else:
        apply = [f"state[i] = f32({call})"]
    body = template("pulse").replace("$bind", _indent(bind, 4)).replace("$apply", _indent(apply, 32))
    body = numbered(body)
    law = law_source(device.pulse, "law_pulse")
    return template("prelude") + _shared() + "\n\n" + template("primitives") + "\n\n" + law + "\n\n" + body


@lru_cache(maxsize=256)
def pulse_kernels(device: type[Device], per_cell: tuple[bool, ...]) -> ModuleType:
    """Return the module with the pulse kernel of a law."""
    return compile_source(pulse_source(device, per_cell), f"pulse_{device.__name__}")
