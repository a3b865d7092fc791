"""Where to compute: the torch devices of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.errors import EncoderError

if TYPE_CHECKING:
    import torch


def devices(asked: str | None = None) -> list[str]:
    """The torch devices to encode on: those `asked` for, with commas between them, else all visible GPUs, else the CPU.

    Raises EncoderError where one is not there.
    """
    import torch  # here, as what only names encoders does not need it

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if not asked:
        return gpus or ["cpu"]
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in ("cpu", *gpus) and not (name == "cuda" and gpus):
            raise EncoderError(f"{name}: no such device here; use {', '.join(['cpu', *gpus])}")
    return names


def one_device(asked: str | None = None) -> torch.device:
    """The torch device of one encoder: the one `asked` for, else a GPU where there is one. Raises EncoderError where it
    is not there."""
    import torch

    try:
        device = torch.device(asked or devices()[0].partition(":")[0])
    except RuntimeError:
        raise EncoderError(
            f"{asked}: no such device here; use {', '.join(dict.fromkeys(['cpu', *devices()]))}"
        ) from None
    if device.type == "cuda":
        devices(str(device))
    return device
