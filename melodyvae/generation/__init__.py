"""A trained model -> melodies: samples, walks, variations, filled-in bars, and what is known of a tune."""
