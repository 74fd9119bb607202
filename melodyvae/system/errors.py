"""The errors that a user can cause."""


class UserError(Exception):
    """An error in the user's input; the message says what is wrong and what to do.

    The base of every such error of both packages. Commands print the message and exit with status 1.

    Attributes:
        options: the names of those that would do otherwise; a command prints what it calls them.
    """

    def __init__(self, *arguments: object, options: tuple[str, ...] = ()) -> None:
        super().__init__(*arguments)
        self.options = options


class MissingTorchError(UserError, ImportError):
    """Something needs PyTorch, which an installation that only plays does without."""

    def __init__(self) -> None:
        super().__init__("this needs PyTorch, which is not installed; install it with: pip install torch")
