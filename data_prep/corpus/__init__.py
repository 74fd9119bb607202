"""Folders of files -> a dataset of token windows, and a ledger of what was left out."""
