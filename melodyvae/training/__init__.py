"""The loop, its schedules, and a training of melodies from start to finish."""
