"""``python -m melodyvae``."""

from melodyvae.cli import main

main()
