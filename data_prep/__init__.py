"""From music files to token windows; no networks, no torch.

The folders, in the order of the flow; each imports only from those above it:

- ``errors``, ``arrays``, ``files``, ``mixing``: what a user can do wrong; arrays opened, files written whole; hashes.
- :mod:`~data_prep.reading`: files of music -> pieces.
- ``writing``: pieces -> MIDI files.
- ``melody``, ``tokens``: one voice on a grid; melody <-> token ids.
- :mod:`~data_prep.melodies`: pieces -> melodies, melodies -> pieces.
- :mod:`~data_prep.corpus`: folders of files -> a dataset folder.

Letters in shapes: N windows, T steps.
"""
