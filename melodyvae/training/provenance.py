"""Provenance in a checkpoint: version, command and data."""

from __future__ import annotations

import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import melodyvae
from melodyvae.config import TrainConfig, to_dict


def provenance_of(config: TrainConfig, data: dict[str, Any]) -> dict[str, Any]:
    """The command, the training options, ``data`` (what the model learns from) and the versions, ready for JSON."""
    return command_and_versions() | {"training": to_dict(config), **data}


def command_and_versions() -> dict[str, Any]:
    """The command line of this process, and the versions that it runs, ready for JSON."""
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": {
            "melodyvae": melodyvae.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
