"""What a latent space is, in numbers: encode a tune, look at z, walk away from it.

python examples/latent_space.py
"""

from pathlib import Path

import numpy as np

from melodyvae import Melody, MelodyVAE

vae = MelodyVAE.from_pretrained("melody-2bar")
tune = Melody.from_midi(Path(__file__).parent / "tunes" / "twinkle.mid").window(0, 2)

z = vae.encode(tune)
print(f"two bars of {len(tune)} notes became {len(z)} numbers")

direction = np.random.default_rng(0).standard_normal(len(z))
for distance in (0.0, 0.2, 0.5, 1.0):
    nearby = vae.decode(z + distance * direction)
    same = len(set(nearby.notes) & set(tune.notes))
    print(f"{distance:.1f} standard deviations away: {same} of {len(tune)} notes are as in the tune")
