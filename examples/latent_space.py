"""What a latent space is, in numbers: encode a tune, look at z, walk away from it.

python examples/latent_space.py
"""

from pathlib import Path

import torch

from data_prep.melody import Melody
from melodyvae import MelodyVAE

vae = MelodyVAE.from_pretrained("melody-2bar")
tune = Melody.from_midi(Path(__file__).parent / "tunes" / "twinkle.mid").window(0, 2)
tokens = torch.from_numpy(vae.model.vocabulary.encode(tune)).long().unsqueeze(0)

posterior = vae.model.encode(tokens)
print(f"two bars of {len(tune.notes)} notes became {posterior.mean.shape[1]} numbers")
print(f"KL to N(0, I): {posterior.kl_to_standard_normal().item():.1f} nats")

generator = torch.Generator().manual_seed(0)
direction = torch.randn(posterior.mean.shape, generator=generator)
for distance in (0.0, 0.2, 0.5, 1.0):
    nearby = vae.model.decode(posterior.mean + distance * direction)
    same = int((nearby == tokens).sum())
    print(f"{distance:.1f} standard deviations away: {same} of {tokens.numel()} steps as in the tune")
