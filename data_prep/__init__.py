"""From music files to token windows; no networks, no torch.

In the order of the flow, each module importing only from those above it:

- :mod:`~data_prep.notes`: a piece as read: parts of notes, tempo, meter, bar lines.
- :mod:`~data_prep.atomic`: files written whole or not at all.
- :mod:`~data_prep.midi`: MIDI file <-> notes, and the errors a file can raise.
- :mod:`~data_prep.tunes`: the tunes in a text file of ABC or kern, each a source of its own.
- :mod:`~data_prep.abc`: ABC text as music21 reads it right.
- :mod:`~data_prep.written`: written notes and bars -> a piece: ties joined, bar lines where they are written.
- :mod:`~data_prep.score`: MusicXML, ABC and kern -> notes, by music21, which is imported only when used.
- :mod:`~data_prep.collection`: the collections of scores that music21 installs.
- :mod:`~data_prep.voice`: which part is the melody, and which of its notes are the one voice.
- :mod:`~data_prep.layout`: the bars of a piece -> bars of one meter, with nothing left out.
- :mod:`~data_prep.keys`: the key of a melody (music21), and the shift to another.
- :mod:`~data_prep.melody`: notes <-> melody: one voice on a step grid, in whole bars.
- :mod:`~data_prep.arrangement`: melodies in a row, alone or over other tracks -> one MIDI file.
- :mod:`~data_prep.tokens`: melody <-> token ids; :class:`~data_prep.tokens.Vocabulary` is the one table.
- :mod:`~data_prep.ledger`: the reasons why anything is left out.
- :mod:`~data_prep.windows`: a piece -> the token windows of its tracks, by stated rules.
- :mod:`~data_prep.sources`: the files below folders, and what each one gives.
- :mod:`~data_prep.workers`: work in processes that may crash at the cost of one file.
- :mod:`~data_prep.cluster`: the same on the machines of a Dask cluster.
- :mod:`~data_prep.journal`: what was read, kept on disk while a dataset is made.
- :mod:`~data_prep.corpus`: folders of files -> a dataset folder.

Letters in shapes: N windows, T steps.
"""
