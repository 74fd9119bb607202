"""``python -m melodyvae``."""

from melodyvae.cli.main import main

main()
