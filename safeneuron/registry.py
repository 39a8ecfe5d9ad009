"""Finding plug-ins: every module of a package that declares a named object.

A new score, judge, model family or model source is one new file in its package and no edit
elsewhere; this is the only mechanism behind it.
"""

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def discover(package: str, attribute: str) -> tuple[Any, ...]:
    """Return ``module.<attribute>`` of every module in a package, in order of file name.

    Parameters
    ----------
    package : str
        Dotted name of a package, such as ``"safeneuron.scores"``.
    attribute : str
        Name that a plug-in module defines, such as ``"SCORE"``. Modules without it are helpers
        and are passed over.
    """
    path = importlib.import_module(package).__path__
    modules = (
        importlib.import_module(f"{package}.{info.name}")
        for info in sorted(pkgutil.iter_modules(path), key=lambda info: info.name)
    )
    return tuple(getattr(module, attribute) for module in modules if hasattr(module, attribute))
