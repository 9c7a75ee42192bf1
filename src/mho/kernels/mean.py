"""The update without granularity on the CPU: the law's mean step times a real-valued number of pulses."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

from torch import Tensor

from mho.devices.base import Device
from mho.kernels.arguments import block, numbered, template
from mho.kernels.build import LANES, compile_source, indented, law_bindings, law_prelude
from mho.kernels.cells import MOST, Cells, Samples
from mho.kernels.cpu import address, entry, law_words, workspace
from mho.kernels.launch import launch, threads
from mho.kernels.translate import law_source

FIRST = 8
"""The first lane of the law's own arrays; those before hold state, x, direction, parts, share, draws and marks."""
BYTES = 4 * LANES * (FIRST + 24 + 4)
"""Scratch of a thread: two lists, then the lanes."""


def mean_source(device: type[Device], per_cell: tuple[bool, ...]) -> str:
    """Return the source of the kernel of a law; `per_cell` says which of its arrays differ by cell."""
    bind, sources = law_bindings(device, per_cell)
    states = tuple(device.state)
    own = [f"s_{n}[i]" for n in states] + [s for s in sources.values() if s.endswith("[i]")]
    lane = {s: f"lane[u64({FIRST + k} * LANES + j)]" for k, s in enumerate(own)}
    load = [f"{place} = {source.replace('[i]', '[at + u64(j)]')}" for source, place in lane.items()]
    store = [f"s_{n}[at + u64(j)] = {lane[f's_{n}[i]']}" for n in states]
    given = [lane[f"s_{n}[i]"] for n in states] + [lane.get(s, s) for s in sources.values()]
    names = ["w", *(f"s{k}" for k in range(len(states)))]
    step = [f"s{k} = {lane[f's_{n}[i]']}" for k, n in enumerate(states)]
    step += [f"{', '.join(f'new_{n}' for n in names)} = law_pulse({', '.join(['w', 'up', 'xi', *given])})"]
    places = ["lane[u64(j)]", *(lane[f"s_{n}[i]"] for n in states)]
    step += [f"{place} = part_way({n}, new_{n}, share)" for place, n in zip(places, names, strict=True)]
    body = template("mean").replace("$bind", indented(bind, 4)).replace("$load", indented(load, 24))
    body = body.replace("$store", indented(store, 24)).replace("$step", indented(step, 32))
    sizes = f"LANES = {LANES}\nMEAN_BYTES = {BYTES}\nMOST = {MOST}.0\n"
    return "\n\n".join([law_prelude(law_source(device.pulse, "law_pulse")), template("ways"), sizes, numbered(body)])


@lru_cache(maxsize=256)
def mean_kernels(device: type[Device], per_cell: tuple[bool, ...]) -> ModuleType:
    """Return the module with the kernel of a law."""
    return compile_source(mean_source(device, per_cell), f"mean_{device.__name__}")


def mean_update_(cells: Cells, samples: Samples, noisy: Tensor, device_of: Tensor | None) -> None:
    """Move the devices of a tile by one step's samples, in place, without pulses; see `reference.mean_update_`.

    noisy: (chips,) uint8, whether the cycle-to-cycle noise of a chip's devices is on.
    """
    chips, devices, rows, columns = cells.state.shape
    batch = samples.x.shape[1]
    if batch == 0:
        return
    workers = threads() if batch * cells.state.numel() > 10_000 else 1
    a = block("mean", "mean")
    disturbed = cells.apparent is not None and cells.write_noise is not None
    a.set(
        chips=chips, devices=devices, rows=rows, columns=columns, vectors=batch, inputs=samples.x.shape[2],
        state=cells.state.data_ptr(), x=samples.x.data_ptr(), d=samples.d.data_ptr(), gain=samples.gain.data_ptr(),
        keys=samples.keys.data_ptr(), step=samples.step, first=samples.first, bias=samples.bias,
        scratch=workspace("mean", BYTES * workers).data_ptr(), device_of=address(device_of),
        frozen=address(cells.frozen), apparent=address(cells.apparent) if disturbed else 0,
        write_noise=address(cells.write_noise) if disturbed else 0, visible=address(cells.visible),
        gains=cells.gains.data_ptr(), offset=address(cells.offset), noisy=noisy.data_ptr(),
        paired=cells.paired, one_sided=cells.one_sided,
        grain=max(1, min(16, chips * rows // (4 * workers))),
    )  # fmt: skip
    for i, word in enumerate(law_words(cells)):
        a.words[a.places["table_0"] + i] = word
    launch(entry(mean_kernels(cells.device, cells.per_cell), "mean"), a, workers)  # type: ignore[arg-type]
