"""Files of music, and objects of other packages -> pieces and their melodies."""
