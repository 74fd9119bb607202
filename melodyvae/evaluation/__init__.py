"""Evaluation of a model, on held-out windows and by its samples and walks."""
