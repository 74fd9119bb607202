"""One module per command of ``melodyvae``; each imports what it needs when it runs, not before."""
