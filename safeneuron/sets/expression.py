"""The language of neuron sets: what ``--set`` takes, what a link carries, what the Neurons page writes.

    set     = part { ( "|" | "-" | "^" ) part }        from left to right
    part    = single { "&" single }                    binds tighter than the others
    single  = "(" set ")" | neurons | top | random | NAME | QUOTED
    neurons = LAYER:INDEX { "," LAYER:INDEX }
    top     = "top" "(" COUNT "," SCORE [ "," "not" "in" set ] ")"
    random  = "random" "(" set [ "," SEED ] ")"

- ``|`` or ``∪`` is the union, ``&`` or ``∩`` the intersection, ``-`` or ``∖`` what the left set has and the right
  one has not, ``^`` or ``△`` what exactly one of the two has.
- A NAME is ORI, ES, SAS, FULL, RANDOM or that of a kept set; in quotation marks where it has spaces. A hyphen
  inside a name belongs to it, so the difference of two names wants spaces: ``FULL - mine``.
- What ends with ``.json`` is the path of a file. A text that is nothing but one path needs no quotation marks.
- ``top(50, ES)`` is the 50 neurons with the highest ES, ``top(50, ES, not in SAS)`` those of them that SAS leaves.
- ``random(SET)`` is as many random neurons in each layer as SET has, none of them its own.

Here are the trees that texts are read into; :mod:`safeneuron.selection` says what one means for a model.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from safeneuron.neurons import Neuron

SIGNS = {"|": "|", "∪": "|", "&": "&", "∩": "&", "-": "-", "∖": "-", "^": "^", "△": "^"}
"""Every way of writing an operation, with the one that is kept."""
TIGHT, LOOSE = ("&",), ("|", "-", "^")
LETTER = r"""[^\s|&^(),∪∩∖△":-]"""
WORD = re.compile(rf"{LETTER}+(?:-(?![0-9]+:){LETTER}+)*")
"""A name that needs no quotation marks."""


@dataclass(frozen=True)
class Named:
    """A set by its name."""

    name: str


@dataclass(frozen=True)
class File:
    """A set in a file."""

    path: str


@dataclass(frozen=True)
class Neurons:
    """Neurons that are spelled out."""

    neurons: frozenset[Neuron]


@dataclass(frozen=True)
class Combined:
    """Two sets and the operation between them: ``|``, ``&``, ``-`` or ``^``."""

    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Top:
    """The ``count`` neurons with the highest score that are not in another set."""

    count: int
    score: str
    outside: "Expression | None" = None


@dataclass(frozen=True)
class Random:
    """As many random neurons per layer as ``of`` has; without a seed, drawn with the one of the command."""

    of: "Expression"
    seed: int | None = None


Expression = Named | File | Neurons | Combined | Top | Random


def written(expression: Expression) -> str:
    """Return the text of an expression, which parser.py reads back to the same tree."""
    match expression:
        case Named(name):
            return _quoted_if_needed(name)
        case File(path):
            return f'"{path}"'
        case Neurons(neurons):
            return written_neurons(neurons)
        case Top(count, score, outside):
            return f"top({count}, {_quoted_if_needed(score)}" + (f", not in {written(outside)})" if outside else ")")
        case Random(of, seed):
            return f"random({written(of)}" + (")" if seed is None else f", {seed})")
        case Combined(sign, left, right):
            open_left = isinstance(left, Combined) and sign in TIGHT and left.sign in LOOSE
            open_right = isinstance(right, Combined) and not (sign in LOOSE and right.sign in TIGHT)
            first, second = (
                f"({written(part)})" if bracketed else written(part)
                for part, bracketed in ((left, open_left), (right, open_right))
            )
            return f"{first} {sign} {second}"


def _quoted_if_needed(name: str) -> str:
    return name if WORD.fullmatch(name) else f'"{name}"'


def written_neurons(neurons: frozenset[Neuron]) -> str:
    """Return neurons as people write them, in order."""
    return ",".join(f"{layer}:{index}" for layer, index in sorted(neurons))


def parts(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and everything in it."""
    yield expression
    match expression:
        case Combined(_, left, right):
            yield from parts(left)
            yield from parts(right)
        case Top(outside=inner) | Random(of=inner) if inner:
            yield from parts(inner)
