"""Encoders from the Hugging Face hub, through its own client and cache."""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.errors import EncoderError

FILES = ["*.json", "*.txt", "*.model", "open_clip_*.safetensors", "open_clip_pytorch_model.bin"]


def download(repository: str, title: str) -> Path:
    """The folder of a hub repository; fetched only where it is not cached, saying so first.

    HF_HUB_OFFLINE, HF_HOME and the other variables of huggingface_hub hold. Raises EncoderError where the
    repository cannot be had.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise EncoderError(f"{repository}: not a hub repository; write hf-hub:<owner>/<repository>") from error
    if constants.HF_HUB_OFFLINE:
        raise EncoderError(
            f"{repository}: not in the hub's cache, and HF_HUB_OFFLINE forbids downloading; "
            "use --encoder starter, which needs no download, or a bundle folder"
        )
    print(f"downloading encoder {title} from the hub; --encoder starter needs no download", file=sys.stderr, flush=True)
    try:
        return Path(snapshot_download(repository, allow_patterns=FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EncoderError(
            f"{repository}: could not be downloaded ({_first_line(error)}); "
            "use --encoder starter, which needs no download, or a bundle folder"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
