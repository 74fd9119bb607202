"""Pictures and sound of melodies and measurements."""
