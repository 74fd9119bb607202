"""Pieces -> melodies: which part, which notes, which bars, which key; and melodies -> MIDI files."""
