"""torch computes a transformer in evaluation from its layers' weights; with analog layers it must call them."""

import pytest
import torch
from torch import nn

import mho
from nn.networks import close, ideal


def encoder():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2)).eval()


@torch.no_grad()
@pytest.mark.parametrize("bias", ["digital", "array"])
def test_evaluation_sees_the_noise_of_the_chips(bias):
    noisy = ideal().with_(forward={"ideal": False, "output_noise": 0.1}, mapping={"bias": bias})
    model = mho.convert_to_analog(encoder(), noisy)
    x = torch.randn(2, 5, 8)
    assert not torch.equal(model(x), model(x))


@torch.no_grad()
def test_padded_batches():
    torch.manual_seed(0)
    plain = encoder()
    model = mho.convert_to_analog(plain, ideal().with_(mapping={"bias": "digital"}))
    x, padded = torch.randn(2, 5, 8), torch.zeros(2, 5, dtype=torch.bool)
    padded[1, 3:] = True
    kept = ~padded
    close(model[0](x, src_key_padding_mask=padded)[kept], plain[0](x, src_key_padding_mask=padded)[kept])
    noisy = mho.convert_to_analog(plain, ideal().with_(forward={"ideal": False, "output_noise": 0.1}))
    assert not noisy[0](x, src_key_padding_mask=padded).is_nested
