"""Verbs of a trained model: a file for each, with its options and its function.

``function(vae, *sources, options)`` returns a result; :class:`~melodyvae.vae.MelodyVAE` has each as a method.
"""
