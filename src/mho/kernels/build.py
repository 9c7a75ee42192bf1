"""Write kernel source files into the cache and import them: one per law and template, named by a hash."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import sys
import textwrap
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

from mho.devices.base import Device, law_arguments
from mho.errors import LawError, MhoError
from mho.folders import cache_folder, write_text
from mho.kernels.arguments import numbered, template
from mho.kernels.translate import law_source, law_tables
from mho.random import shared_source


@lru_cache(maxsize=1)
def _shared() -> str:
    text = shared_source().replace("def ", "@compiled\ndef ")
    return '\ncompiled = njit(nogil=True, error_model="numpy")\n\n' + text


@lru_cache(maxsize=1)
def _versions() -> str:
    import llvmlite
    import numba

    from mho.version import __version__

    threads = os.environ.get("NUMBA_CPU_NAME", "") + os.environ.get("NUMBA_OPT", "")
    versions = (__version__, numba.__version__, llvmlite.__version__, sys.version)
    return " ".join((*versions, platform.processor(), threads))


def compile_source(text: str, label: str) -> ModuleType:
    """Import a kernel file of this text from the cache; write it whole where it is missing or damaged.

    Raises MhoError when the cache cannot be written.
    """
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


def prelude() -> str:
    """Return what stands above every kernel: types, intrinsics, and the draws that all backends share."""
    return template("prelude") + _shared()


@cache
def plain_kernels(name: str) -> ModuleType:
    """Return the module of a template that needs no law."""
    return compile_source(prelude() + "\n\n" + numbered(template(name)), name)


def indented(lines: list[str], by: int) -> str:
    """Return lines of code as one text, each indented."""
    return "\n".join(" " * by + line for line in lines)


LANES = 256
"""Devices that a costly law steps in one vector loop."""
LANE_BYTES = 40 * 4 * LANES
"""Room of a thread's lanes: state, direction, draw, the law's arrays and states, and its results, 40 at most."""

TABLES = 24
"""Arrays of a law that a kernel's argument block has room for: `table_0` to `table_23` in the template."""

_COSTLY = re.compile(r"\b(exp|log|power|tanh|sqrt|divide)\(")


def pulse_source(device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the pulse kernel of a law; `per_cell` says which of its arrays differ by cell."""
    bind, sources = law_bindings(device, per_cell)
    law = law_source(device.pulse, "law_pulse")
    make = _lanes if _COSTLY.search(law) else _one_by_one
    events = textwrap.indent(make(sources, tuple(device.state)), " " * 28)
    body = numbered(template("pulse").replace("$bind", indented(bind, 4)).replace("$events", events))
    sizes = f"LANES = {LANES}\nLANE_BYTES = {LANE_BYTES}\n"
    return "\n\n".join([law_prelude(law), sizes, body])


def law_prelude(law: str) -> str:
    """Return what stands above a kernel that steps devices: primitives, and the translated law."""
    return "\n\n".join([prelude(), template("primitives"), law])


def law_bindings(device: type[Device], per_cell: tuple[bool, ...]) -> tuple[list[str], dict[str, str]]:
    """Return the lines that bind a law's arrays in a kernel, and where cell i finds each argument of the law.

    Raises LawError for more arrays than a kernel has room for.
    """
    names, states, tables = law_arguments(device), tuple(device.state), law_tables(device)
    given = [f"p_{n} = floats(a.table_$, big)" for n in names] + [f"s_{n} = floats(a.table_$, big)" for n in states]
    given += [f"n_{n} = a.table_$" for n in tables]
    if len(given) > TABLES:
        raise LawError(
            f"{device.__name__}.pulse takes {len(names)} arguments, {len(states)} states and {len(tables)} tables; a "
            f"kernel has room for {TABLES} in all, tables counted twice. Combine some in cells()"
        )
    bind = [line.replace("$", str(i)) for i, line in enumerate(given)]
    return bind, {n: _source(n, cell, n in tables) for n, cell in zip(names, per_cell, strict=True)}


def _source(name: str, per_cell: bool, table: bool) -> str:
    """Return where the kernel of a law finds one of its arguments."""
    if table:
        return f"p_{name}, c * n_{name}, n_{name} - 1"
    return f"p_{name}[i]" if per_cell else f"p_{name}[u64(c)]"


def _one_by_one(sources: dict[str, str], states: tuple[str, ...]) -> str:
    taken = list(sources.values())
    call = f"law_pulse({', '.join(['state[i]', 'up', 'xi[u64(e)]', *(f's_{n}[i]' for n in states), *taken])})"
    results = ["new_w", *(f"new_{n}" for n in states)]
    apply = [f"{', '.join(results)} = {call}", "state[i] = f32(new_w)", *(f"s_{n}[i] = f32(new_{n})" for n in states)]
    return template("apply_one").replace("$apply", indented(apply, 4))


def _lanes(sources: dict[str, str], states: tuple[str, ...]) -> str:
    """Return the apply loop of a costly law: lane 0 state, 1 direction, 2 draw, then states, arrays and results."""
    gathered = [f"s_{n}[i]" for n in states] + [s for s in sources.values() if s.endswith("[i]")]
    lane = {s: f"lane[u64({3 + k} * LANES + j)]" for k, s in enumerate(gathered)}
    out = [f"lane[u64({3 + len(gathered) + k} * LANES + j)]" for k in range(1 + len(states))]
    taken = [lane[f"s_{n}[i]"] for n in states] + [lane.get(s, s) for s in sources.values()]
    results = ["new_w", *(f"new_{n}" for n in states)]
    step = [f"{', '.join(results)} = law_pulse({', '.join(['w', 'up', 'z', *taken])})"]
    step += [f"{place} = f32({result})" for place, result in zip(out, results, strict=True)]
    scatter = [
        f"{array}[i] = {place}" for array, place in zip(["state", *(f"s_{n}" for n in states)], out, strict=True)
    ]
    text = template("apply_lanes").replace("$gather", indented([f"{lane[s]} = {s}" for s in gathered], 12))
    return text.replace("$step", indented(step, 12)).replace("$scatter", indented(scatter, 12))


@lru_cache(maxsize=256)
def pulse_kernels(device: type[Device], per_cell: tuple[bool, ...]) -> ModuleType:
    """Return the module with the pulse kernel of a law."""
    return compile_source(pulse_source(device, per_cell), f"pulse_{device.__name__}")
