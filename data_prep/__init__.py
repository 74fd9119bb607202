"""Folders of music files -> a dataset folder of token windows: the pipeline behind ``melodyvae prep``.

In the order of the flow: ``sources`` (files, and the tunes in them), ``windows`` (a piece -> token windows), ``ledger``
(what is left out, and why), ``journal`` (what is done, for a run that goes on), ``workers`` and ``cluster`` (many
processes, many machines), ``output`` (the dataset folder), ``prepare`` (all of it).

Letters in shapes: N windows, T steps.
"""
