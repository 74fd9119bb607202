"""Melodies and what is known of music: bars, voices, keys, scales, swing; no files, no networks."""
