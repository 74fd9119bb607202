"""Files of music -> pieces: MIDI, MusicXML, ABC and kern."""
