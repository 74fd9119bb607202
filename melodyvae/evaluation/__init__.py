"""How good a model is, on held-out windows and by its samples and walks."""
