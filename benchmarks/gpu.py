"""The physics on a GPU: parity with the reference first, then time, achieved bandwidth and what limits each row.

    python benchmarks/gpu.py [--only NAME]... [--write docs/performance.md]
    python benchmarks/gpu.py --interpret            every row once, tiny, in Triton's interpreter: no GPU, no times

Parity: the same updates on the GPU and by the reference on the CPU; pulse counts must be equal and states agree to
rounding. Times are those of the GPU alone where launching is not what is asked for: a sleeping kernel holds the queue
until all launches are in it, and events take the time between. Bounds: the bytes of the arrays that a row must read and
write, over the bandwidth of a large copy measured in the same run; for products the bf16 product alone; for whole
steps the bytes of weights and device parameters. With --write the table replaces the one between the marks in FILE.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MARKS = ("<!-- gpu table: begin -->", "<!-- gpu table: end -->")
INTERPRET = "--interpret" in sys.argv
if INTERPRET:
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import mho  # noqa: E402
from mho.devices import SoftBounds, Spread  # noqa: E402
from mho.errors import DataError  # noqa: E402
from mho.kernels.backend import backend  # noqa: E402
from mho.kernels.cells import Cells, Samples, Scheme  # noqa: E402
from mho.tiles.tile import Tile  # noqa: E402

BACKEND = "gpu" if INTERPRET else "auto"
LR = 0.01
CYCLES = 100_000_000
"""How long the queue is held, in cycles of the GPU's clock: about 50 ms, more than 50 layers take to launch."""


@dataclass
class Row:
    """A line of the table: what was run, what came out, the aim, and the bound that limits it with its share."""

    what: str
    result: str
    aim: str
    bound: str


class Machine:
    """Where the rows run, and how large they are."""

    def __init__(self) -> None:
        self.device = torch.device("cpu" if INTERPRET else "cuda")
        self.bandwidth = float("nan")
        if not INTERPRET:
            self.bandwidth = self._copy_bandwidth()

    def size(self, full: int, tiny: int) -> int:
        """Return a size as it is asked for, or one that the interpreter can do."""
        return tiny if INTERPRET else full

    def seconds(self, call: Callable[[], object], repeats: int = 20) -> float:
        """Return the median seconds of the GPU for one call, launches apart; in the interpreter only call it."""
        if INTERPRET:
            call()
            return float("nan")
        for _ in range(3):
            call()
        times = []
        for _ in range(5):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda._sleep(CYCLES)
            begin.record()
            for _ in range(repeats):
                call()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) / 1e3 / repeats)
        return statistics.median(times)

    def wall(self, call: Callable[[], object]) -> float:
        """Return the seconds of one call on the clock, until the GPU is done."""
        self.wait()
        start = time.perf_counter()
        call()
        self.wait()
        return float("nan") if INTERPRET else time.perf_counter() - start

    def wait(self) -> None:
        """Wait until the GPU is done."""
        if not INTERPRET:
            torch.cuda.synchronize()

    def _copy_bandwidth(self) -> float:
        """Return the bytes a second that a copy of 2 GiB reads and writes."""
        a = torch.empty(1 << 29, device=self.device)
        b = torch.empty_like(a)
        return 2 * a.numel() * 4 / self.seconds(lambda: b.copy_(a), 5)


def tile(machine: Machine, size: int, name: str = "benchmark", counts: bool = False) -> Tile:
    """Return a tile of soft bounds with all spreads and cycle-to-cycle noise."""
    made = Tile(SoftBounds(dw_min=Spread(0.0016, d2d=0.3)), (size, size), name=name, count_pulses=counts).to(
        machine.device
    )
    made.backend = BACKEND
    return made


def samples(machine: Machine, own: Tile, batch: int, d_scale: float) -> Samples:
    """Return samples: x uniform in [-1, 1], d normal."""
    generator = torch.Generator().manual_seed(0)
    _, _, rows, columns = own.state.shape
    x = 2 * torch.rand(1, batch, columns, generator=generator) - 1
    d = d_scale * torch.randn(1, batch, rows, generator=generator)
    gain = torch.tensor([LR / 0.0016])
    x, d, gain, keys = (t.to(machine.device) for t in (x, d, gain, own.update_keys))
    return Samples(x, d, gain, keys, 0)


def updater(own: Tile, given: Samples, scheme: Scheme) -> Callable[[], None]:
    """Return one update of a tile, of another step each time."""
    kernels = backend(own.backend, own.state)

    def update() -> None:
        kernels.pulse_update_(own.cells(), given, scheme, kernels.rates(given, scheme), None)
        given.step += 1

    return update


def bytes_of(cells: Cells) -> int:
    """Return the bytes that an update of every device reads and writes: states twice, what devices are once."""
    twice = [cells.state, *cells.extra.values()]
    if cells.counts is not None:
        twice.append(cells.counts)
    once = [p for p in cells.parameters.values() if p.dim() == 4]
    return sum(2 * t.numel() * t.element_size() for t in twice) + sum(t.numel() * t.element_size() for t in once)


def parity(machine: Machine) -> list[Row]:
    """Compare pulses and states of a tile with the reference, by pulse trains of every kind; fail where they differ."""
    size, steps, batch = machine.size(96, 6), machine.size(20, 3), machine.size(7, 2)
    worst, pulses = 0.0, 0
    for scheme in (Scheme(), Scheme(managed=False, balanced=False), Scheme(deterministic=True), Scheme(bl=64)):
        own = tile(machine, size, counts=True)
        other = copy.deepcopy(own).to("cpu")
        other.backend = "reference"
        given = samples(machine, own, batch, 0.3)
        theirs = Samples(given.x.cpu(), given.d.cpu(), given.gain.cpu(), given.keys.cpu(), 0)
        ours, slow = updater(own, given, scheme), updater(other, theirs, scheme)
        for _ in range(steps):
            ours()
            slow()
        assert own.counts is not None
        assert other.counts is not None
        np.testing.assert_array_equal(own.counts.cpu().numpy(), other.counts.numpy())
        worst = max(worst, float((own.state.cpu() - other.state).abs().max()))
        pulses += int(other.totals.sum())
    if worst > 1e-6:
        raise SystemExit(f"states differ from the reference by {worst}: no time is worth printing")
    text = f"{pulses:,} pulses equal, states within {worst:.1e}"
    return [Row(f"parity with the reference, {size}x{size}, 4 kinds of trains, {steps} steps", text, "equal", "")]


def update_once(machine: Machine) -> list[Row]:
    """Update 4096x4096 devices by one sample: the time to read and write the data once."""
    size = machine.size(4096, 8)
    own = tile(machine, size)
    seconds = machine.seconds(updater(own, samples(machine, own, 1, 0.1), Scheme()))
    moved = bytes_of(own.cells())
    bound = moved / machine.bandwidth
    what = "pulsed update 4096x4096, soft bounds, spreads, c2c, batch 1, managed trains"
    limit = f"memory: {moved / 1e6:.0f} MB at {machine.bandwidth / 1e12:.2f} TB/s, {bound * 1e6:.0f} us"
    return [Row(what, f"{seconds * 1e6:.0f} us = {seconds / bound:.2f} x", "1.5 x", limit)]


def update_dense(machine: Machine) -> list[Row]:
    """Update 4096x4096 devices by 64 samples of long trains."""
    size, batch = machine.size(4096, 8), machine.size(64, 3)
    rows = []
    for d_scale, name in ((1.0, "about 1.2 pulses a cell and sample"), (0.1, "about 0.12 pulses a cell and sample")):
        own = tile(machine, size)
        update = updater(own, samples(machine, own, batch, d_scale), Scheme(managed=False))
        before = int(own.totals.sum())
        update()
        pulses = int(own.totals.sum()) - before
        seconds = machine.seconds(update, 3)
        cells = size * size * batch
        rows.append(Row(
            f"the same, batch 64, trains of 31, {name}",
            f"{cells / seconds / 1e9:.0f} Gcells/s, {pulses / seconds / 1e9:.0f} G pulses/s", "300 Gcells/s",
            f"arithmetic: {pulses / cells:.2f} pulses a cell and sample",
        ))  # fmt: skip
    return rows


def update_small(machine: Machine) -> list[Row]:
    """Update 512x512 devices by ten samples, in a CUDA graph."""
    size = machine.size(512, 8)
    own = tile(machine, size)
    update = updater(own, samples(machine, own, machine.size(10, 2), 0.1), Scheme())
    call = update
    if not INTERPRET:
        for _ in range(3):
            update()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            update()
        call = graph.replay
    seconds = machine.seconds(call, 50)
    return [Row("pulsed update 512x512, batch 10, CUDA graph", f"{seconds * 1e6:.0f} us", "60 us", "launches")]


Stepper = tuple[nn.Module, Callable[[], object]]


def stepper(machine: Machine, net: nn.Module, shape: tuple[int, ...], chips: int) -> Stepper:
    """Return an analog model and one of its training steps, as a CUDA graph where there is a GPU; shape: of a batch."""
    config = mho.preset("gokmen-2017").with_(device=SoftBounds(dw_min=Spread(0.0016, d2d=0.3)))
    model = mho.convert_to_analog(net, config, chips=chips, seed=0).to(machine.device)
    mho.set_backend(model, BACKEND)
    optimizer = mho.optim.AnalogSGD(model.parameters(), lr=LR)
    x = torch.rand(shape) * (torch.rand(shape) < 0.19)  # as sparse as MNIST
    y = torch.randint(0, 10, shape[:1])
    x, y = mho.spread(x, chips).to(machine.device), y.repeat(chips).to(machine.device)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(x), y, reduction="sum")

    graph = mho.TrainingGraph(model, optimizer, loss)
    return model, (lambda: graph.step(x, y)) if INTERPRET else (lambda: graph(x, y))


def fcn(side: int) -> nn.Module:
    """Return the network of Gokmen & Vlasov 2016 for square images."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(side * side, 256 if side == 28 else 8), nn.Sigmoid(),
        nn.Linear(256 if side == 28 else 8, 128 if side == 28 else 6), nn.Sigmoid(),
        nn.Linear(128 if side == 28 else 6, 10),
    )  # fmt: skip


def many_chips(machine: Machine) -> list[Row]:
    """Train the FCN on as many chips as the aim has."""
    chips, side, batch = machine.size(1024, 2), machine.size(28, 4), machine.size(10, 2)
    model, step = stepper(machine, fcn(side), (batch, 1, side, side), chips)
    for _ in range(machine.size(20, 1)):
        step()
    seconds = machine.seconds(step, 10)
    moved = 0
    for layer in model.modules():
        if isinstance(layer, mho.AnalogLayer):
            for own in layer.analog_tiles():
                # Both products read the weights; the update reads and writes them and reads what devices are.
                moved += bytes_of(own.cells()) + 2 * own.visible.numel() * 4
    rate, bound = chips / seconds, machine.bandwidth / (moved / chips)
    result = f"{rate:,.0f} chip-steps/s = 1/{bound / rate:.1f} of the bound"
    limit = f"memory: {moved / chips / 1e6:.1f} MB a chip-step, {bound:,.0f} chip-steps/s"
    return [Row("FCN step, batch 10, 1,024 chips, CUDA graph", result, "200,000, 1/3 of the bound", limit)]


def epoch(machine: Machine) -> list[Row]:
    """Train LeNet on 64 chips for an epoch of MNIST, as `mho train` does; on pictures as sparse where MNIST is not."""
    name = "MNIST"
    try:
        mho.data.load("mnist", progress=False)
    except DataError:
        name = "60,000 random pictures as sparse as MNIST's (MNIST is not on this machine)"
    chips, batch, steps = machine.size(64, 2), machine.size(8, 2), machine.size(7500, 1)
    if INTERPRET:
        net: nn.Module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 10))
        shape: tuple[int, ...] = (batch, 1, 4, 4)
    else:
        net = nn.Sequential(
            nn.Conv2d(1, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.Tanh(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 10),
        )  # fmt: skip
        shape = (batch, 1, 28, 28)
    what = f"LeNet, batch 8, 64 chips, one epoch of {name}"
    seconds = _epoch_of_run(machine, chips, batch) if name == "MNIST" and not INTERPRET else None
    if seconds is None:
        _, step = stepper(machine, net, shape, chips)
        step()
        seconds = machine.wall(lambda: [step() for _ in range(steps)])
    return [Row(what, f"{seconds:.0f} s", "60 s", "sequence: 4,608 vectors of the first layer act one after another")]


def _epoch_of_run(machine: Machine, chips: int, batch: int) -> float:
    """Return the seconds of an epoch by `mho train`'s own loop."""
    from mho.train.loop import Trainer

    data, seconds = mho.data.load("mnist"), float("nan")
    for images in (10 * batch, None):  # a few first: kernels compile
        config = mho.RunConfig(
            preset="gokmen-2017", network="lenet", data="mnist", epochs=1, batch_size=batch, chips=chips,
            compute_device="cuda", train_images=images,
        )  # fmt: skip
        seconds = machine.wall(Trainer(config, data).next_line)
    return seconds


def forward(machine: Machine) -> list[Row]:
    """Multiply a batch with a noisy 4096x4096 layer in bf16, over the bf16 product alone."""
    size, batch = machine.size(4096, 8), machine.size(256, 4)
    config = mho.preset("gokmen-2017").with_(forward=mho.Periphery(dac_bits=8, adc_bits=8, bound_management="none"))
    layer = mho.AnalogLinear(size, size, bias=False, config=config, name="wide").to(machine.device).eval()
    mho.set_backend(layer, BACKEND)
    x = torch.rand(batch, size, device=machine.device)
    rows = []
    with torch.no_grad():
        weight, own = torch.randn(size, size, device=machine.device).bfloat16(), x.bfloat16()
        alone = machine.seconds(lambda: F.linear(own, weight), 50)
        for precision in ("bf16", "tf32", "float32"):
            mho.set_precision(layer, precision)
            seconds = machine.seconds(lambda: layer(x), 50)
            rows.append(Row(
                f"noisy forward 4096x4096, batch 256, 8-bit converters, {precision}",
                f"{seconds * 1e6:.0f} us = {seconds / alone:.2f} x", "1.3 x" if precision == "bf16" else "",
                f"the bf16 product alone: {alone * 1e6:.0f} us",
            ))  # fmt: skip
    return rows


ROWS = {
    "parity": parity, "once": update_once, "dense": update_dense, "small": update_small, "chips": many_chips,
    "epoch": epoch, "forward": forward,
}  # fmt: skip


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | measured | aim | bound |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {r.what} | {r.result} | {r.aim} | {r.bound} |" for r in rows])


def heading() -> str:
    """Return the date, the machine and the versions."""
    import triton

    made = f"torch {torch.__version__}, Triton {triton.__version__}, Python {platform.python_version()}"
    if INTERPRET:
        today = datetime.date.today()
        return f"{today}: no GPU was at hand. Every row ran in Triton's interpreter, at sizes of a few cells ({made})."
    p = torch.cuda.get_device_properties(0)
    gpu = f"{p.name} (compute capability {p.major}.{p.minor})"
    return f"{datetime.date.today()}, {gpu}, {made}, CUDA {torch.version.cuda}"


def write(file: Path, text: str) -> None:
    """Replace what stands between the marks of a file."""
    whole = file.read_text(encoding="utf-8")
    begin, end = whole.index(MARKS[0]) + len(MARKS[0]), whole.index(MARKS[1])
    made = file.with_name(file.name + ".new")
    made.write_text(f"{whole[:begin]}\n\n{text}\n\n{whole[end:]}", encoding="utf-8")
    made.replace(file)


def main() -> None:
    """Check parity, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROWS, action="append", metavar="NAME", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--interpret", action="store_true", help="run every row once, tiny, without a GPU")
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the table between the marks of FILE")
    options = parser.parse_args()
    if not INTERPRET and not torch.cuda.is_available():
        raise SystemExit(
            f"a GPU was asked for, but torch {torch.__version__} finds no CUDA device; run this on a machine with one, "
            "or with --interpret to see that every row works"
        )
    if options.write and options.only:
        raise SystemExit("--write keeps the whole table; leave out --only")
    torch.manual_seed(0)
    machine, rows, start = Machine(), [], time.perf_counter()
    print(heading(), flush=True)
    for name in ["parity", *(options.only or [n for n in ROWS if n != "parity"])]:
        for row in ROWS[name](machine):
            if INTERPRET and name != "parity":
                row = Row(row.what, "not measured", row.aim, row.bound.split(":")[0])
            rows.append(row)
            print(f"{row.what}: {row.result} (aim {row.aim}; {row.bound})", flush=True)
    print(f"{time.perf_counter() - start:.0f} s")
    if options.write:
        write(options.write, heading() + "\n\n" + table(rows))


if __name__ == "__main__":
    main()
