"""The command line, called as a person calls it."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from safeneuron.cli import app


@pytest.fixture
def call() -> Callable[..., Result]:
    """Return a function that runs a command and returns what it printed and its exit status."""
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def call_json(call: Callable[..., Result]) -> Callable[..., dict]:
    """Return a function that runs a command with ``--json`` and reads its one object."""

    def run(*arguments: object) -> dict:
        result = call(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout, parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))

    return run


@pytest.fixture
def refusal(call: Callable[..., Result]) -> Callable[..., str]:
    """Return a function that runs a command with a mistake in it and returns the one sentence."""

    def run(*arguments: object) -> str:
        result = call(*arguments)
        assert (result.exit_code, result.stdout) == (2, ""), result.stderr
        assert "Traceback" not in result.stderr
        return result.stderr.strip().splitlines()[-1]

    return run
