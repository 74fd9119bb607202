"""The errors that a user can cause."""


class UserError(Exception):
    """Something is wrong with what the user gave; the message is a sentence that says what, and what to do.

    The base of every such error of both packages. Commands print the message and exit with status 1.
    """


class MissingTorchError(UserError, ImportError):
    """Something needs PyTorch, which an installation that only plays does without."""

    def __init__(self) -> None:
        super().__init__("this needs PyTorch, which is not installed; install it with: pip install torch")
