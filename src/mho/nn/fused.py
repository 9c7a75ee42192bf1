"""torch's fused transformer kernels, which read a layer's weights and never call the layer."""

from __future__ import annotations

from torch import nn

from mho.nn.layer import analog_layers


def unfuse(model: nn.Module) -> None:
    """Keep torch from computing a transformer with analog layers from their exact weights, in evaluation.

    Without gradients, `nn.TransformerEncoderLayer` hands the weights of its two linear layers to one fused kernel, past
    their products: the network would be tested without its chips' noise, converters and bounds.
    """
    for module in model.modules():
        if not analog_layers(module):
            continue
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0  # torch's own mark of a layer that has no fused kernel
        elif isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # padded batches only: nested ones are for the fused kernels
