"""Where to compute: the torch devices of this machine."""

from __future__ import annotations

from retrieval.errors import EncoderError


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
