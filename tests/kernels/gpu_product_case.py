"""Run products and passes by Triton's interpreter and compare with the CPU's; run as a script by test_gpu_product.

With sixteenths as inputs and weights every sum is exact, whatever its order: whole products are equal bit for bit.
Elsewhere what stands before and behind the sums is compared by itself.
"""

from __future__ import annotations

import itertools
import sys
import time
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch

from kernels.interpreting import hasten, mend
from mho.kernels.gpu import matmul, passes, product
from mho.kernels.product import Draws, Part, Patched, Plan, fold, leak_, normals, peaks, unfold
from mho.periphery import Periphery
from mho.periphery import product as periphery
from mho.periphery.product import bind, multiply, read_lines
from periphery.products import compare, kernel_product, make_keys

EXACT = {"noise_management": "none", "dac_bits": None, "input_range": 8.0}
LARGE = 2**32 - 3
"""A number of a call, or of a vector, whose bits are those of a negative number."""


def sixteenths(*shape, seed=0):
    return torch.from_numpy((np.random.default_rng(seed).integers(-32, 33, shape) / 16).astype(np.float32))


def run(settings, weights, x, *, backend, out=None, precision="float32", draws=None, **given):
    """Return outputs, reads and repeats of one product."""
    bound = bind(settings, weights.shape[0])
    bound.backend, bound.precision = backend, precision
    out = torch.full((*x.shape[:2], weights.shape[1]), torch.nan) if out is None else out
    draws = Draws(make_keys(range(weights.shape[0])), LARGE, 0, 7) if draws is None else draws
    multiply(bound, weights, x, draws, out, **given)
    return out, bound.reads, bound.repeats


def same(settings, weights, x, *, out=None, **given):
    """Check that both backends give the same bits and counts, and return these."""
    ours, theirs = (
        run(settings, weights, x, backend=b, out=None if out is None else out(), **given) for b in ("gpu", "cpu")
    )
    assert torch.equal(ours[0], theirs[0]), (ours[0] - theirs[0]).abs().max()
    assert ours[1:] == theirs[1:], (ours[1:], theirs[1:])
    return ours


@contextmanager
def sizes(**values):
    """Set block sizes of products for a while."""
    before = {name: getattr(product, name) for name in values}
    for name, value in values.items():
        setattr(product, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(product, name, value)


def before_and_behind():
    """What enters the array and what is made of its outputs: the same bits for every combination of converters."""
    x, y = torch.randn(2, 3, 19), 3 * torch.randn(2, 3, 21)
    x[1, 1] = 0.0
    flags = itertools.product(("max-abs", "constant"), (None, [4, None]), (False, True), (0.0, [0.1, 0.3]), (0.0, 0.2))
    for number, (management, bits, stochastic, in_noise, weight_noise) in enumerate(flags):
        settings = Periphery(
            noise_management=management, scale=[0.5, 2.0], dac_bits=bits, dac_stochastic=stochastic,
            input_noise=in_noise, weight_noise=weight_noise, input_range=[0.8, 1.5], output_bound=[3.0, 2.0],
            adc_bits=(None, [5, None])[number % 2], adc_stochastic=stochastic, output_noise=(0.0, 0.1)[number // 2 % 2],
            bound_management="iterative",
        )  # fmt: skip
        bound, bias = bind(settings, 2), number % 3 == 0
        draws = Draws(make_keys((0, 1)), LARGE, 0, 11)
        plan = Plan(2, 3, (19, 21), bias, bound.converters)
        plan.prepare(x, draws, Part(0, 2, 0, 3))
        part = product._Part(bound.on_gpu(x.device), product._Source.of(x), draws, (0, 3), (2, 19))
        with sizes(LONGEST=16 if number % 2 else 4096):
            inputs = part.prepare(bias, 24, torch.float32)
        assert torch.equal(inputs[..., : 19 + bias], plan.inputs)
        assert not inputs[..., 19 + bias :].any()
        assert torch.equal(part.scales, plan.scales)
        if weight_noise:
            live = plan.scales > 0
            np.testing.assert_allclose(part.norms[live], plan.norms[live], rtol=1e-6)
            part.norms = plan.norms
        adding = number % 5 == 0
        ours, theirs = torch.ones(2, 3, 21), torch.ones(2, 3, 21)
        part.finish(y, ours, adding)
        plan.finish_(y.clone(), draws, theirs, Part(0, 2, 0, 3), adding=adding)
        assert torch.equal(ours, theirs)
        assert torch.equal(part.marks.bool(), plan.saturated.bool())
        assert part.marks.any()


def whole():
    """Products with bias, added to what is there, with transposed weights and in strided memory."""
    weights, x = sixteenths(2, 6, 12) / 4, sixteenths(2, 5, 11, seed=1)
    x[0, 3] = 0.0
    for number, (management, noise) in enumerate(itertools.product(("none", "iterative", "worst-case"), (0.0, 0.1))):
        settings = Periphery(
            **EXACT, output_bound=1.5, adc_bits=6, bound_management=management, output_noise=noise, weight_noise=noise,
            adc_stochastic=noise > 0,
        )  # fmt: skip
        for bias, adding in ((number % 2, number % 2), (1 - number % 2, number % 2)):
            own = weights[:, :, : 11 + bias]
            found = same(
                settings, own, x, bias=bool(bias), adding=bool(adding), out=lambda: sixteenths(2, 5, 6, seed=2)
            )
            assert (found[2] > 0) == (management != "none")
    crossed = weights.transpose(1, 2)
    x6 = sixteenths(2, 5, 20, seed=3)[:, :, 3:9] / 2
    settings = Periphery(**EXACT, output_bound=1.5, adc_bits=6)
    same(settings, crossed[:, :11], x6, out=lambda: torch.zeros(2, 5, 40)[:, :, 2:13])
    dense = same(settings, crossed[:, :11], x6[:, ::2])[0]
    apart = x6.transpose(1, 2).contiguous().transpose(1, 2)[:, ::2]
    ours = run(settings, crossed[:, :11], apart, backend="gpu", out=torch.zeros(2, 11, 3).transpose(1, 2))[0]
    assert torch.equal(ours, dense)
    converted = Periphery(bound_management="worst-case", dac_bits=5, output_bound=1.0, adc_bits=None, input_noise=0.1)
    ours, theirs = (run(converted, torch.ones(2, 6, 11), x.abs(), backend=b) for b in ("gpu", "cpu"))
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
    assert ours[1:] == theirs[1:]
    assert ours[2] > 4
    same(Periphery(ideal=True), weights, x, bias=True)
    same(Periphery(**EXACT, output_bound=None, adc_bits=None), weights[:, :, :11], x)


def repeats():
    """A vector is repeated up to ten times; a chip's bound and converter are its own."""
    weights = torch.full((2, 5, 1), 0.5)
    x = torch.tensor([1.0, 3.0, 0.0, 1e9, 17.0]).repeat(2, 1)[:, :, None]
    settings = Periphery(
        noise_management="none", dac_bits=None, input_range=1e6, output_bound=[1.0, 2.0], adc_bits=[None, 8],
        output_noise=0.0,
    )  # fmt: skip
    for cut in ({}, {"LARGE": 1, "LANES": 16, "MANY": 1, "MAX_GROUP": 2}):
        with sizes(**cut):
            found = same(settings, weights, x)
            assert found[2] == (0 + 1 + 0 + 10 + 4) + (0 + 0 + 0 + 10 + 3)
            assert found[0][0, 3, 0] == 1024.0
            assert found[0][0, 4, 0] == 8.5
            same(settings, weights, torch.linspace(0.0, 1500.0, 16).repeat(2, 1)[:, :, None])
    # Noise of rows and columns that are not there would be seen: it reaches the bound by itself now and then.
    noisy = Periphery(**vars(settings) | {"output_noise": 0.45, "weight_noise": 0.1})
    assert same(noisy, weights, x.repeat(1, 6, 1) / 3)[2] > 60


def blocks():
    """Results do not depend on how the work is cut (but the scale of the worst case is a rounded quotient)."""
    weights, x = sixteenths(2, 21, 29) / 4, sixteenths(2, 4, 28, seed=1)
    for management, bound in (("iterative", 3.0), ("worst-case", 3.0)):
        settings = Periphery(
            **EXACT, output_bound=bound, adc_bits=None, weight_noise=0.05, output_noise=0.1, bound_management=management
        )
        first = run(settings, weights, x, backend="cpu", bias=True)
        assert 2 < first[2] < 12, first[1:]
        for cut in (
            {},
            {"ELEMENTS": 64, "LONGEST": 16, "HELD": 2 * 50 * 2},
            {"TILE": (16, 16), "LARGE": 1, "LANES": 16},
            {"MANY": 1, "MAX_GROUP": 4, "ELEMENTS": 4096},
        ):
            with sizes(**cut):
                again = run(settings, weights, x, backend="gpu", bias=True)
            if management == "iterative":
                assert torch.equal(first[0], again[0]), cut
            np.testing.assert_allclose(first[0], again[0], atol=1e-5)
            assert first[1:] == again[1:]


def patches():
    """Vectors that are patches of images, with all that products have."""
    flat = sixteenths(2, 2, 42, seed=3)
    flat[0, 0] = 0.0
    start = torch.tensor([7 * i + j for i in range(0, 5, 2) for j in range(0, 5, 2)], dtype=torch.int32)
    offset = torch.tensor([0, 1, 2, 7, 8, 9], dtype=torch.int32)
    late = Patched(flat, start, offset)
    taken = unfold(flat.flatten(0, 1), start, offset).view(2, 18, 6)
    for management, bias in (("iterative", False), ("worst-case", True)):
        settings = Periphery(
            **EXACT | {"dac_bits": 5, "noise_management": "running-max", "momentum": 0.0}, output_bound=0.5,
            bound_management=management, adc_bits=6, dac_stochastic=True, input_noise=0.1,
        )  # fmt: skip
        weights = sixteenths(2, 3, 6 + bias, seed=4) / 4
        ours, theirs = (run(settings, weights, x, backend="gpu", bias=bias) for x in (late, taken))
        assert torch.equal(ours[0], theirs[0])
        assert ours[2] > 0
    same(Periphery(**EXACT, output_bound=0.5), sixteenths(2, 3, 4, seed=4) / 4, late[:, :, 1:5])
    assert torch.equal(product.peaks(late, True), peaks(taken, True)[0])
    none = Patched(flat[:, :0], start, offset)
    assert run(Periphery(), sixteenths(2, 3, 6), none, backend="gpu")[0].shape == (2, 0, 3)


def not_finite():
    """NaN and infinity give NaN in their own vectors only; what sees nothing is 0, whatever the weights are."""
    weights, x = sixteenths(2, 5, 7) / 4, sixteenths(2, 6, 7, seed=1)
    x[0, 1, 3], x[1, 2, 6], x[1, 4, 0] = torch.nan, torch.inf, -torch.inf
    x[0, 5] = 0.0
    bad = ~x.isfinite().all(2)
    for noise_management, management in (("none", "iterative"), ("max-abs", "worst-case"), ("max-abs", "none")):
        settings = Periphery(
            noise_management=noise_management, bound_management=management, output_bound=0.5, adc_stochastic=True,
            dac_stochastic=True, weight_noise=0.1,
        )  # fmt: skip
        out = run(settings, weights, x, backend="gpu")[0]
        assert torch.equal(out.isnan().all(2), bad)
        assert torch.equal(out.isfinite().all(2), ~bad)
        clean = run(settings, weights, torch.where(bad[:, :, None], torch.zeros(()), x), backend="gpu")[0]
        assert torch.equal(out[~bad], clean[~bad])
    broken = weights.clone()
    broken[0, 2, 2] = torch.nan
    out, _, repeats = run(Periphery(output_bound=0.01), broken, torch.zeros(2, 3, 7), backend="gpu")
    assert not out.any()
    assert repeats == 0
    out = run(Periphery(), broken, torch.ones(2, 3, 7), backend="gpu")[0]
    assert out[0, :, 2].isnan().all()
    assert out.isnan().sum() == 3
    assert run(Periphery(), weights, torch.zeros(2, 0, 7), backend="gpu")[0].shape == (2, 0, 5)


def running():
    """The running mean of scales follows training only, on both backends alike."""
    settings = Periphery(noise_management="running-max", momentum=0.75, output_noise=0.0)
    weights, bound = sixteenths(2, 3, 4), {}
    for backend in ("cpu", "gpu"):
        bound[backend] = bind(settings, 2)
        bound[backend].backend = backend
    for call, learning in enumerate((False, True, False, True, True)):
        x, out = sixteenths(2, 4, 4, seed=call), {b: torch.empty(2, 4, 3) for b in bound}
        x[1] *= call > 1
        for backend, own in bound.items():
            multiply(own, weights, x, Draws(make_keys((0, 1)), call), out[backend], learning=learning)
        assert torch.equal(out["cpu"], out["gpu"])
        assert torch.equal(bound["cpu"].running, bound["gpu"].running)
    assert bound["gpu"].running.all()
    before = bound["gpu"].running.clone()
    x[1, 0, 0] = torch.nan
    with patch.object(periphery, "peaks", lambda *given: (product.peaks(*given), True)):
        multiply(bound["gpu"], weights, x, Draws(make_keys((0, 1)), 9), out["gpu"], learning=True)
    assert bound["gpu"].running[0] != before[0]
    assert bound["gpu"].running[1] == before[1]
    assert torch.equal(out["gpu"].isnan().all(2), x.isnan().any(2))


def reading():
    """Lines read one by one are the products that the CPU makes."""
    shown = torch.randn(2, 13, 4).transpose(1, 2)
    for settings in (
        Periphery(bound_management="none"),
        Periphery(bound_management="none", noise_management="constant", scale=[2.0, 0.3], weight_noise=0.2),
    ):
        ours, theirs = torch.empty(2, 4, 13), torch.empty(2, 4, 13)
        for backend, out in (("gpu", ours), ("cpu", theirs)):
            bound = bind(settings, 2)
            bound.backend = backend
            read_lines(bound, shown, Draws(make_keys((0, 1)), 5, 0, 3), out)
            assert bound.reads == 8
        assert torch.equal(ours, theirs)


def precisions():
    """Bfloat16 rounds inputs and weights; its copies follow the weights, and are shared with what is a part of them."""
    weights, x = torch.randn(2, 6, 12), torch.randn(2, 5, 11)
    settings = Periphery(output_bound=2.0, weight_noise=0.1, adc_bits=None, dac_bits=None)
    for bias, part in ((True, weights), (False, weights[:, :, :11])):
        ours, theirs = (run(settings, part, x, backend=b, bias=bias, precision="bf16") for b in ("gpu", "cpu"))
        np.testing.assert_allclose(ours[0], theirs[0], rtol=0, atol=2e-5)
        assert ours[1:] == theirs[1:]
        assert ours[2] > 0
    exact = Periphery(**EXACT, output_bound=2.0, adc_bits=6)
    assert len(matmul._copies) == 1
    crossed = weights[:, :, :11].transpose(1, 2)
    same(exact, sixteenths(2, 6, 11) / 4, sixteenths(2, 5, 11, seed=1), precision="bf16")
    same(exact, sixteenths(1, 6, 11) / 4, sixteenths(1, 5, 11, seed=1), precision="bf16")
    whole = matmul.operand(weights, "bf16")
    assert matmul.operand(crossed, "bf16").data_ptr() == whole.data_ptr()
    weights[1, 2, 3] = 7.0
    assert matmul.operand(weights, "bf16")[1, 2, 3] == 7.0
    again = matmul.operand(weights[1:].clone(), "bf16")  # its storage is gone, and its place taken by the next
    assert torch.equal(again[0, :6, :12].float(), weights[1].bfloat16().float())
    for _ in range(3):
        fresh = torch.randn(2, 6, 12)
        assert torch.equal(matmul.operand(fresh, "bf16")[:, :, :12].float(), fresh.bfloat16().float())
        del fresh
    with torch.inference_mode():
        made = weights * 2
        assert torch.equal(matmul.operand(made, "bf16")[:, :, :12].float(), made.bfloat16().float())
    for name in ("tf32", "float32"):
        same(exact, sixteenths(2, 6, 11) / 4, sixteenths(2, 5, 11, seed=1), precision=name)
    ideal = (run(Periphery(ideal=True), weights, x, backend=b, bias=True, precision="bf16")[0] for b in ("gpu", "cpu"))
    np.testing.assert_allclose(*ideal, atol=1e-5)
    np.testing.assert_allclose(
        matmul.matmul(x, weights[:, :, :11], "bf16"), x.bfloat16().float() @ crossed.bfloat16().float(), atol=1e-5
    )


def ticks():
    """A tick is added to the number of the call."""
    weights, x, keys = sixteenths(1, 6, 11) / 4, sixteenths(1, 5, 11, seed=1), make_keys((0,))
    settings = Periphery(output_bound=1.0, input_noise=0.1)
    tick = torch.tensor([9])
    one, other = (
        run(settings, weights, x, backend="gpu", draws=Draws(keys, call, tick=t))[0]
        for call, t in ((2**31 - 5, tick), (2**31 + 4, None))
    )
    assert torch.equal(one, other)
    assert torch.equal(passes.normals(keys, (1, 9), 3, tick), normals(keys, (1, 9), 12))


def plain():
    """Patches, draws and leaks: the same bits as on the CPU."""
    for shape, elements in (((3, 4), 3), ((1, 1), 1), ((5, 6), 70)):
        start = torch.tensor([40 * i + 2 * j for i in range(shape[0]) for j in range(shape[1])], dtype=torch.int32)
        offset = torch.arange(elements, dtype=torch.int32) * 3
        images = torch.randn(2, 450)
        taken = passes.unfold(images.t().contiguous().t(), start, offset)
        assert torch.equal(taken, unfold(images, start, offset))
        back = torch.randn(taken.shape)
        for _ in range(2):  # the second finds the places that the first looked up
            assert torch.equal(passes.fold(back, 450, start, offset), fold(back, 450, start, offset))
    assert passes.fold(torch.zeros(0, 30, 70), 450, start, offset).shape == (0, 450)
    assert torch.equal(passes.fold(back, 500, start, offset), fold(back, 500, start, offset))
    keys = make_keys((0, 3, 9))
    for shape in ((3, 1), (3, 4), (3, 5, 7), (3, 1027), (3, 0)):
        assert torch.equal(passes.normals(keys, shape, LARGE), normals(keys, shape, LARGE))
    for keep, reset in itertools.product((torch.rand(2), torch.rand(2, 1, 30, 40)), repeat=2):
        ours, theirs = torch.randn(2, 1, 30, 40), torch.empty(2, 1, 30, 40)
        theirs.copy_(ours)
        version = ours._version
        passes.leak_(ours, keep, reset)
        leak_(theirs, keep, reset)
        assert torch.equal(ours, theirs)
        assert ours._version > version
    x = torch.randn(2, 7, 30)
    x[1, 3, 2] = torch.nan
    top = product.peaks(x[:, :, ::2], False)
    assert torch.equal(top.isnan(), x[:, :, ::2].isnan().any(2))
    x[1, 3, 2] = 0.0
    for bias in (False, True):
        with sizes(ELEMENTS=32):
            assert torch.equal(product.peaks(x, bias), peaks(x, bias)[0])


def reference(count=40, seed=1):
    """Compare random settings with the oracle."""
    generator = np.random.default_rng(seed)

    def pick(*choices):
        return choices[generator.integers(len(choices))]

    def real(low, high):
        numbers = np.float32(generator.uniform(low, high, 2)).tolist()
        return pick(numbers, numbers[0])

    compared = differing = 0
    for _ in range(count):
        config = Periphery(
            noise_management=pick("none", "max-abs", "constant", "running-max"), scale=real(0.25, 4.0),
            bound_management=pick("none", "iterative", "worst-case"), input_range=real(0.5, 2.0),
            dac_bits=pick(None, 3, [7, None]), dac_stochastic=pick(False, True), input_noise=pick(0.0, real(0.0, 0.25)),
            weight_noise=pick(0.0, real(0.0, 0.25)), output_noise=pick(0.0, real(0.0, 0.25)),
            output_bound=real(0.25, 8.0), adc_bits=pick(None, 9, [4, None]), adc_stochastic=pick(False, True),
        )  # fmt: skip
        if config.bound_management == "worst-case":
            config = Periphery(**vars(config) | {"dac_bits": None})
        rows, columns, bias = generator.integers(1, 10), generator.integers(1, 41), bool(generator.integers(2))
        weights = torch.from_numpy(generator.uniform(-1, 1, (2, rows, columns + bias)).astype(np.float32))
        x = generator.normal(size=(2, 3, columns)).astype(np.float32)
        x[generator.random((2, 3)) < 0.2] = 0.0
        call = int(generator.integers(2**32))
        some = compare(config, weights, torch.from_numpy(x), bias=bias, call=call, first=3, backend="gpu")
        compared, differing = compared + some[0], differing + some[1]
    assert compared > 10 * count
    assert differing <= max(2, 0.02 * compared)


def backend_of_tests():
    """The backend that is asked for is the one that runs."""
    seen = []
    original = product.start
    product.start = lambda kernel, *given, **flags: (seen.append(kernel), original(kernel, *given, **flags))
    kernel_product(Periphery(), torch.ones(1, 2, 3), torch.ones(1, 1, 3), backend="gpu")
    product.start = original
    assert len(seen) == 4


FAST = (before_and_behind, whole, repeats, not_finite, running, reading, precisions, ticks, plain, backend_of_tests)
SLOW = (blocks, patches, reference)


def main() -> None:
    hasten()
    mend()
    torch.manual_seed(0)
    for case in SLOW if sys.argv[1:] == ["slow"] else FAST:
        began = time.perf_counter()
        case()
        print(f"equal {case.__name__} {time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
