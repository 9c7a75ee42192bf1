"""A study made of three steps of no cost, and what its steps did."""

from __future__ import annotations

from dataclasses import dataclass

from mho.studies import Bench, BenchSettings, Context, Reference, Row, Step

RAN: list[str] = []
"""The names of the steps that ran, in order."""


@dataclass(frozen=True)
class Settings(BenchSettings):
    data: str = "digits"
    chips: int = 3
    noises: tuple[float, ...] = (0.0, 0.1)


def digital(context: Context) -> list[Row]:
    RAN.append("digital")
    labels = context.data(context.settings.data).test_labels
    return [Row("digital", (90.0 if len(labels) else 0.0,), about="no noise")]


def noisy(context: Context) -> list[Row]:
    RAN.append("noise")
    base, chips = context.row("digital").mean, context.settings.chips
    return [
        Row(
            f"noise {n:g}", tuple(base - 10 * n - k for k in range(chips)), about="on chips", baseline="digital",
            line="L2", axis="noise", at=n,
        )
        for n in context.settings.noises
    ]  # fmt: skip


def cost(context: Context) -> list[Row]:
    RAN.append("cost")
    assert not context.found
    return [Row("write", (1.5,), "seconds", group="cost"), Row("speed-up", (1234.5,), "times", group="cost")]


BENCH = Bench(
    name="toy-2026",
    source="A. Toy, J. Play (2026)",
    description="What does noise cost?",
    settings=Settings,
    steps=(
        Step("digital", "trains", digital),
        Step("noise", "adds noise", noisy, needs=("digital",)),
        Step("what it costs", "computes", cost),
    ),
    modes={"quick": {}, "full": {"chips": 5}},
    known={"digital": (Reference("TEXT", "table 1: 91.2", 91.2),)},
    penalty={"noise 0.1": (Reference("DERIVED", "-1.0", -1.0),)},
    setup=lambda s: (f"Data {s.data}.",),
)
