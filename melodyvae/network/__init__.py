"""A trained model in NumPy: reading it, encoding, decoding under rules, composing, refining; no torch."""
