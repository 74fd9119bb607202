"""Device and precision: what the hardware does itself, and not what PyTorch emulates."""

import pytest
import torch

from melodyvae.device import DeviceError, autocast, choose_device


@pytest.mark.parametrize(
    ("card", "capability", "native"), [("V100", (7, 0), False), ("T4", (7, 5), False), ("A100", (8, 0), True)]
)
def test_only_gpus_that_multiply_bf16_train_in_it(monkeypatch, card, capability, native):
    # torch.cuda.is_bf16_supported() is True on all three: it counts emulation, which is slower than float32.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: asked.append((kind, dtype)))
    autocast(torch.device("cuda"))
    assert asked == ([("cuda", torch.bfloat16)] if native else []), card
    autocast(torch.device("cuda"), "bf16")
    assert asked[-1] == ("cuda", torch.bfloat16)


def test_a_device_that_is_not_there_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="device 'cuda' is not available here; this machine has: cpu"):
        choose_device("cuda")
