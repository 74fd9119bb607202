"""A sequence VAE for melodies, after MusicVAE."""

__version__ = "0.1.0"
