"""From music files to token windows."""
