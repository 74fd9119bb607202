"""The sanity model: handwritten digits on the same latent, loss, loop and checkpoints."""
