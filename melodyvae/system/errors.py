"""The errors that a user can cause."""


class UserError(Exception):
    """Something is wrong with what the user gave; the message is a sentence that says what, and what to do.

    The base of every such error of both packages. Commands print the message and exit with status 1.
    """
