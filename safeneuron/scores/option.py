"""A setting that a score declares: drawn by the page, read by the command line, part of the fingerprint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from safeneuron.errors import UserError

Value = float | int | str


@dataclass(frozen=True)
class Option:
    """One setting of a score.

    Parameters
    ----------
    name : str
        In files and on the command line.
    title, help : str
        On the page.
    default : float, int or str
        Its type is the option's type.
    choices : tuple of str
        For a text: what it may be.
    bounds : (float, float), optional
        For a number: the lowest and the highest.
    step : float
        For a number: what its widget moves by.
    """

    name: str
    title: str
    help: str
    default: Value
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    step: float = 1.0

    def checked(self, value: Value) -> Value:
        """Return the value in the option's type.

        Raises
        ------
        UserError
            When it is none of the choices, no number, or out of bounds.
        """
        if self.choices:
            if value not in self.choices:
                raise UserError(f"{self.name} is {value!r}; choose one of: {', '.join(self.choices)}.")
            return value
        low, high = self.bounds
        try:
            number = type(self.default)(value)
        except ValueError:
            raise UserError(f"{self.name} is {value!r}; give a number from {low:g} to {high:g}.") from None
        if not isfinite(number) or not low <= number <= high:
            raise UserError(f"{self.name} is {value}; give a number from {low:g} to {high:g}.")
        return number


def settled(options: Sequence[Option], given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the value of every option, the given one or the default.

    Raises
    ------
    UserError
        When a name is no option, or a value does not fit one.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            there = f"its options are: {', '.join(known)}" if known else "it has none"
            raise UserError(f"There is no option {name!r} of this score; {there}.")
    return {name: option.checked(given.get(name, option.default)) for name, option in known.items()}
