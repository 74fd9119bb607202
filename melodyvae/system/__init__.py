"""Parts any program needs: errors, files written whole, locks, limits of time and memory."""
