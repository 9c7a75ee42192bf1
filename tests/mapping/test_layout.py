"""How matrices are split, and where the patches of a convolution lie."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from mho.errors import ConfigError, ShapeError
from mho.mapping import Mapping
from mho.mapping.patches import Window, locate
from mho.mapping.split import even_parts


@given(size=st.integers(1, 5000), limit=st.integers(1, 600))
def test_parts_cover_evenly_with_the_fewest(size, limit):
    parts = even_parts(size, limit)
    lengths = [b - a for a, b in parts]
    assert [a for a, _ in parts] == [0, *(b for _, b in parts[:-1])]
    assert parts[-1][1] == size
    assert max(lengths) <= limit
    assert max(lengths) - min(lengths) <= 1
    assert len(parts) == -(-size // limit)


@st.composite
def geometries(draw):
    n = draw(st.integers(1, 3))
    each = st.tuples(*[st.integers(1, 3)] * n)
    window = Window(draw(each), draw(each), draw(each))
    reach = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    spatial = tuple(r + draw(st.integers(0, 4)) for r in reach)
    return window, spatial, draw(st.integers(1, 4))


@given(geometry=geometries(), batch=st.integers(1, 3), first=st.integers(0, 3))
def test_patches_make_a_product_the_convolution(geometry, batch, first):
    """Patches times flattened kernels are torch's convolution, and putting them back is its transpose."""
    window, spatial, channels = geometry
    first = min(first, channels - 1)
    x = torch.randn(batch, channels, *spatial, dtype=torch.float64).float()
    patches = locate(window, (first, channels), (channels, *spatial), False)
    taken = patches.take(x.reshape(batch, -1))
    kernel = torch.randn(2, channels - first, *window.kernel)
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(spatial)]
    options = {"stride": window.stride, "dilation": window.dilation}
    expected = convolve(x[:, first:].double(), kernel.double(), **options)
    assert patches.output == expected.shape[2:]
    out = (taken.double() @ kernel.double().flatten(1).T).transpose(1, 2).unflatten(2, patches.output)
    torch.testing.assert_close(out, expected)
    d = torch.randn(batch, patches.start.numel(), patches.offset.numel())
    back = patches.put(d)
    forward, backward = (
        (taken.double() * d.double()).sum(),
        (x.reshape(batch, -1).double() * back.double()).sum(),
    )
    torch.testing.assert_close(forward, backward, rtol=1e-4, atol=1e-4)


def test_channels_last_images_give_the_same_patches():
    window = Window((3, 2), (1, 2), (2, 1))
    x = torch.randn(2, 3, 7, 6)
    plain = locate(window, (0, 3), (3, 7, 6), False).take(x.reshape(2, -1))
    last = locate(window, (0, 3), (3, 7, 6), True).take(x.permute(0, 2, 3, 1).reshape(2, -1))
    assert torch.equal(plain, last)


def test_a_kernel_larger_than_its_input_is_refused():
    with pytest.raises(ShapeError, match=r"reaches over 5 values does not fit a padded input of \(7, 4\)"):
        Window((2, 3), (1, 1), (1, 2)).positions((7, 4))


def test_impossible_layouts_are_all_reported():
    with pytest.raises(ConfigError) as error:
        Mapping(max_rows=0, bias="both", scale=0.0, fill=1.5)
    for part in (
        "max_rows",
        "bias is one of",
        "scale must be",
        "fill is a share",
    ):
        assert part in str(error.value)
