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
from mho.errors import MhoError
from mho.folders import cache_folder, write_text
from mho.kernels.arguments import numbered, template
from mho.kernels.translate import law_source
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


@cache
def plain_kernels(name: str) -> ModuleType:
    """Return the module of a template that needs no law."""
    return compile_source(template("prelude") + _shared() + "\n\n" + numbered(template(name)), name)


def _indent(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)


LANES = 256
"""Devices that a costly law steps in one vector loop."""
LANE_BYTES = 40 * 4 * LANES
"""Room of a thread's lanes: state, direction, draw, the law's arrays and states, and its results, 40 at most."""

_COSTLY = re.compile(r"\b(exp|log|power|tanh|sqrt|divide)\(")


def pulse_source(device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the pulse kernel of a law; `per_cell` says which of its arrays differ by cell."""
    names, states = law_arguments(device), tuple(device.state)
    bind = [f"p_{n} = floats(a.table_{i}, big)" for i, n in enumerate(names)]
    bind += [f"s_{n} = floats(a.table_{len(names) + i}, big)" for i, n in enumerate(states)]
    law = law_source(device.pulse, "law_pulse")
    make = _lanes if _COSTLY.search(law) else _one_by_one
    events = textwrap.indent(make(dict(zip(names, per_cell, strict=True)), states), " " * 28)
    body = numbered(template("pulse").replace("$bind", _indent(bind, 4)).replace("$events", events))
    sizes = f"LANES = {LANES}\nLANE_BYTES = {LANE_BYTES}\n"
    return "\n\n".join([template("prelude") + _shared(), template("primitives"), sizes, law, body])


def _one_by_one(per_cell: dict[str, bool], states: tuple[str, ...]) -> str:
    taken = [f"p_{n}[i]" if cell else f"p_{n}[u64(c)]" for n, cell in per_cell.items()]
    call = f"law_pulse({', '.join(['state[i]', 'up', 'xi[u64(e)]', *(f's_{n}[i]' for n in states), *taken])})"
    results = ["new_w", *(f"new_{n}" for n in states)]
    apply = [f"{', '.join(results)} = {call}", "state[i] = f32(new_w)", *(f"s_{n}[i] = f32(new_{n})" for n in states)]
    return template("apply_one").replace("$apply", _indent(apply, 4))


def _lanes(per_cell: dict[str, bool], states: tuple[str, ...]) -> str:
    """Return the apply loop of a costly law: lane 0 state, 1 direction, 2 draw, then states, arrays and results."""
    sources = [f"s_{n}" for n in states] + [f"p_{n}" for n, cell in per_cell.items() if cell]
    lane = {n: f"lane[u64({3 + k} * LANES + j)]" for k, n in enumerate(sources)}
    out = [f"lane[u64({3 + len(sources) + k} * LANES + j)]" for k in range(1 + len(states))]
    taken = [lane[f"s_{n}"] for n in states]
    taken += [lane[f"p_{n}"] if cell else f"p_{n}[u64(c)]" for n, cell in per_cell.items()]
    results = ["new_w", *(f"new_{n}" for n in states)]
    step = [f"{', '.join(results)} = law_pulse({', '.join(['w', 'up', 'z', *taken])})"]
    step += [f"{place} = f32({result})" for place, result in zip(out, results, strict=True)]
    scatter = [
        f"{array}[i] = {place}" for array, place in zip(["state", *(f"s_{n}" for n in states)], out, strict=True)
    ]
    text = template("apply_lanes").replace("$gather", _indent([f"{lane[n]} = {n}[i]" for n in sources], 12))
    return text.replace("$step", _indent(step, 12)).replace("$scatter", _indent(scatter, 12))


@lru_cache(maxsize=256)
def pulse_kernels(device: type[Device], per_cell: tuple[bool, ...]) -> ModuleType:
    """Return the module with the pulse kernel of a law."""
    return compile_source(pulse_source(device, per_cell), f"pulse_{device.__name__}")
