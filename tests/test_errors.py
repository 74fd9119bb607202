"""Every error that a user can cause has one base, so that each command says it in a sentence."""

import importlib
import inspect
import pkgutil

import click
import pytest

import data_prep
import melodyvae
from melodyvae.cli.options import known_errors
from melodyvae.system.errors import UserError
from melodyvae.writing.output_folder import OutputExistsError

INTERNAL = {"melodyvae.studio"}  # its errors become answers of the server


def test_every_error_class_is_a_user_error():
    names = [
        module.name
        for package in (data_prep, melodyvae)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__") and not any(module.name.startswith(name) for name in INTERNAL)
    ]
    found = {
        kind
        for name in names
        for kind in vars(importlib.import_module(name)).values()
        if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == name
        if not kind.__name__.startswith("_")
    }
    assert len(found) >= 30
    assert {kind for kind in found if not issubclass(kind, UserError)} == set()


def test_commands_turn_them_into_a_sentence_and_leave_bugs_alone():
    with pytest.raises(click.ClickException, match="folder already holds it"), known_errors():
        raise OutputExistsError("folder already holds it")
    with pytest.raises(click.ClickException, match="nowhere: No such file"), known_errors():
        raise FileNotFoundError(2, "No such file or directory", "nowhere")
    with pytest.raises(ZeroDivisionError), known_errors():
        _ = 1 / 0
