"""The examples in docstrings run: every module that has one is found, and every public verb must have one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import data_prep
import melodyvae
from melodyvae.vae import MelodyVAE

MODULES = [
    module.name
    for package in (data_prep, melodyvae)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]
WITH_EXAMPLES = [name for name in MODULES if ">>> " in inspect.getsource(importlib.import_module(name))]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_run(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert failed == 0


def test_there_are_examples():
    assert {"melodyvae.vae", "melodyvae.network.checkpoint"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", [name for name in vars(MelodyVAE) if not name.startswith("_")])
def test_every_public_verb_has_an_example(name):
    verb = inspect.getattr_static(MelodyVAE, name)
    if inspect.isfunction(verb) or isinstance(verb, classmethod):
        assert ">>> " in (inspect.getdoc(verb) or "")
