"""Folding batch norms away changes no vector beyond rounding."""

from __future__ import annotations

import copy

import open_clip
import pytest
import timm
import torch
from torch import nn

from retrieval.encoders.fast_cpu import fold


def unlike_new(model: nn.Module) -> nn.Module:
    """With norms as training leaves them: new ones hold mean 0 and variance 1, which any mistake would survive."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low in ((module.running_mean, -0.5), (module.running_var, 0.5), (module.weight, 0.5)):
                assert values is not None
                values.data = low + torch.rand(values.shape, generator=generator)
            module.bias.data = torch.rand(module.bias.shape, generator=generator) - 0.5
    return model.eval()


def regnet() -> nn.Module:
    return timm.create_model("regnetx_002", num_classes=8)


def clips_resnet() -> nn.Module:
    from open_clip.modified_resnet import ModifiedResNet

    return ModifiedResNet(layers=(1, 2, 1, 1), output_dim=16, heads=4, image_size=64, width=16)


@pytest.mark.parametrize(("make", "pairs"), [(regnet, 44), (clips_resnet, 3 + 3 * 5 + 4)])
def test_folded_models_give_the_same_vectors(make: object, pairs: int) -> None:
    model = unlike_new(make())  # type: ignore[operator]
    folded = copy.deepcopy(model)
    assert fold(folded) == pairs
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), model(images), rtol=1e-4, atol=1e-5)


def test_blocks_that_run_the_norm_first_are_left_alone() -> None:
    class NormFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bn1, self.conv1 = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.conv1(self.bn1(images))

    assert fold(NormFirst().eval()) == 0


def test_transformers_have_nothing_to_fold() -> None:
    model = open_clip.create_model("ViT-B-32", pretrained=None, vision_cfg={"layers": 1, "width": 64}).eval()
    assert fold(model.visual) == 0
