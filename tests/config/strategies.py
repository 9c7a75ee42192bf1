"""Random configurations, and a device of one's own that lies in a file."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mho.config import AnalogConfig, LrSchedule, RunConfig, presets
from mho.devices import ConstantStep, Device, Faults, Leak, LinearStep, SoftBounds, Spread, law
from mho.mapping import Mapping
from mho.periphery import Periphery
from mho.tiles import Cell
from mho.update import Update
from mho.update.pulsed import Pulsed

CHIPS = 3

positive = st.floats(1e-9, 1e9)
spreads = st.floats(0.0, 10.0)


def over_chips(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.one_of(numbers, st.lists(numbers, min_size=CHIPS, max_size=CHIPS).map(tuple))


def spread_of(means: st.SearchStrategy[float]) -> st.SearchStrategy[Spread]:
    normal = st.builds(Spread, over_chips(means), d2d=over_chips(spreads), std=over_chips(spreads))
    return st.one_of(normal, st.builds(Spread, over_chips(means), d2d=over_chips(spreads), log_normal=st.booleans()))


class Relaxor(Device):
    """A device of a user, with a table, a text and a whole number among its settings."""

    dw_min: Spread = Spread(0.002, d2d=0.2)
    c2c: float = 0.2
    knots: tuple[float, ...] = (0.0, 1.0)
    label: str = 'a "b" \n \x7f \\ é'
    levels: int = 14

    @classmethod
    def _tables(cls) -> tuple[str, ...]:
        return ("knots",)

    def cells(self, draw: Any) -> dict[str, Any]:
        return {"dw": draw(self.dw_min), "c2c": self.c2c}

    @law
    def pulse(w: Any, up: Any, xi: Any, dw: Any, c2c: Any) -> Any:
        return w + dw * (1.0 + c2c * xi)


common = {
    "write_noise": over_chips(spreads),
    "leak": st.none() | st.builds(Leak, lifetime=spread_of(positive), reset=spread_of(st.floats(-1, 1))),
    "faults": st.none() | st.builds(Faults, dead=over_chips(st.floats(0, 1)), range=spreads),
}
steps = common | {
    "dw_min": spread_of(positive),
    "up_down": spread_of(positive),
    "w_max": spread_of(positive),
    "w_min": spread_of(st.floats(-1e9, -1e-9)),
    "c2c": over_chips(spreads),
}
devices = st.one_of(
    st.builds(ConstantStep, **steps),
    st.builds(SoftBounds, **steps),
    st.builds(LinearStep, **steps, gamma_up=spread_of(spreads)),
    st.builds(
        Relaxor,
        **common,
        knots=st.lists(st.floats(-9, 9), min_size=1).map(tuple),
        label=st.text(),
        levels=st.integers(),
    ),
)
peripheries = st.builds(
    Periphery,
    ideal=st.booleans(),
    noise_management=st.sampled_from(["none", "max-abs", "constant", "running-max"]),
    scale=over_chips(positive),
    dac_bits=st.none() | st.integers(2, 20) | st.lists(st.none() | st.integers(2, 20), min_size=1, max_size=1),
    output_noise=over_chips(spreads),
    output_bound=over_chips(positive),
    adc_bits=st.none() | st.integers(2, 20),
)
updates = st.builds(Update, trains=st.sampled_from(["stochastic", "ideal"]), bl=st.integers(1, 64))
cells = st.builds(
    Cell, devices=st.integers(1, 20), combine=st.sampled_from(["average", "sum"]), reference=st.just("column"),
    reference_value=over_chips(spreads),
)  # fmt: skip
rules = st.builds(Pulsed)
mappings = st.builds(Mapping, max_rows=st.integers(1, 10**6), scale=over_chips(positive), learn_scale=st.booleans())

changes = st.fixed_dictionaries(
    {},
    optional={
        "devices": st.integers(1, 20),
        "device.write_noise": over_chips(spreads),
        "leak.lifetime": over_chips(positive),
        "forward": peripheries | st.just({"adc_bits": None}),
        "update": updates,
        "device": devices,
    },
)
analogs = st.builds(
    AnalogConfig,
    device=devices,
    forward=peripheries,
    backward=peripheries,
    update=updates,
    mapping=mappings,
    cell=cells,
    rule=rules,
    layers=st.dictionaries(st.text(), changes, max_size=3),
)
runs = st.builds(
    RunConfig,
    preset=st.sampled_from([row.name for row in presets()]),
    network=st.sampled_from(["fcn", "lenet"]),
    data=st.sampled_from(["mnist", "digits"]) | st.text().map(lambda t: t + "/"),
    epochs=st.integers(0, 10**6),
    batch_size=st.integers(1, 10**6),
    lr=over_chips(positive),
    lr_schedule=st.builds(
        LrSchedule, epochs=st.sets(st.integers(1, 99)).map(lambda s: tuple(sorted(s))), factor=positive
    ),
    chips=st.just(CHIPS) | st.sets(st.integers(0, 2**32 - 1), min_size=CHIPS, max_size=CHIPS).map(tuple),
    seed=st.integers(0, 2**64 - 1),
    vary=st.sampled_from([(), ("init",), ("order", "init")]),
    threads=st.none() | st.integers(1, 64),
    backend=st.sampled_from(["auto", "gpu"]),
    compute_device=st.sampled_from(["auto", "cuda", "cuda:1"]),
    precision=st.sampled_from(["float32", "tf32", "bf16"]),
    analog=analogs,
)
