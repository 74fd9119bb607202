"""The errors that a user can cause."""


class UserError(Exception):
    """An error in the user's input; the message says what is wrong and what to do.

    Base of all such errors of both packages. Commands print the message and exit with status 1.
    """
