"""Melodies -> MIDI files, a page that plays them, pictures and sound."""
