"""A sequence VAE for melodies."""
