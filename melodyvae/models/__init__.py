"""The networks: encoder, latent, decoder, the loss they are trained with, and the file they are kept in."""
