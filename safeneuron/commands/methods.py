"""The scores beside ES and SAS on the command line: which ones, with which options, and what they gave."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json
from safeneuron.errors import UserError
from safeneuron.scores.option import Value, settled
from safeneuron.scores.result import ScoreResult
from safeneuron.scores.score import check_thresholds, scores

STRONGEST = 20

MethodNames = Annotated[
    str | None, typer.Option("--methods", help="More scores, with commas between them, or 'all'; 'methods' lists them.")
]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="A score's option, as NAME.OPTION=VALUE; may be repeated.")
]
Taus = Annotated[list[str] | None, typer.Option("--tau", help="A score's threshold, as NAME=VALUE; may be repeated.")]
Second = Annotated[
    str | None, typer.Option("--second", help="The second model, for scores that compare two, such as a run with it.")
]


@dataclass(frozen=True)
class Method:
    """A score as it was asked for."""

    name: str
    options: Mapping[str, Value]
    threshold: float


def methods(json: Json = False) -> None:
    """List every score with its unit, its paper, its threshold and its options."""
    found = [
        {
            "name": score.name,
            "title": score.title,
            "unit": score.unit,
            "source": score.source,
            "description": score.description,
            "threshold": score.default_threshold,
            "options": [asdict(option) for option in score.options],
        }
        for score in scores().values()
    ]
    lines = []
    for score in found:
        lines.append("{name}: {title} ({unit}; {source})\n    {description}".format(**score))
        lines.append(f"    selected above {score['threshold']:g}; --tau {score['name']}=VALUE changes that")
        lines += [
            f"    {score['name']}.{row['name']}={row['default']} ({_range(row)})  {row['help']}"
            for row in score["options"]
        ]
    terminal.show({"methods": found}, json, "\n".join(lines))


def _range(option: Mapping[str, Any]) -> str:
    """Return the values that an option may have."""
    if option["choices"]:
        return " or ".join(option["choices"])
    return "{:g} to {:g}".format(*option["bounds"]) if option["bounds"] else "any number"


def parsed(names: str | None, options: Sequence[str], taus: Sequence[str], second: str | None) -> list[Method]:
    """Return the scores asked for, before any model is opened.

    Raises
    ------
    UserError
        When a score, an option or a number does not exist, or a score needs a second model and none is given.
    """
    known = scores()
    chosen = _names(names, second)
    given: dict[str, dict[str, str]] = {}
    for text in options:
        name, value = _split(text, "NAME.OPTION=VALUE, such as SNIP.prompts=16")
        score, dot, option = name.partition(".")
        if not dot or score not in chosen:
            asked = f"they are {', '.join(chosen)}" if chosen else "name some with --methods"
            raise UserError(f"--option {text!r} belongs to none of the scores asked for; {asked}.")
        given.setdefault(score, {})[option] = value
    thresholds = {name: known[name].default_threshold for name in chosen}
    for text in taus:
        name, value = _split(text, "NAME=VALUE, such as SNIP=99")
        if name not in chosen:
            raise UserError(f"--tau {text!r} belongs to none of the scores asked for; they are {', '.join(chosen)}.")
        try:
            thresholds[name] = float(value)
        except ValueError:
            raise UserError(f"--tau {text!r} has no number behind the equals sign.") from None
    check_thresholds(thresholds)
    return [Method(name, settled(known[name].options, given.get(name, {})), thresholds[name]) for name in chosen]


def described(methods: Sequence[Method], found: Sequence[ScoreResult]) -> dict[str, dict[str, Any]]:
    """Return by score what the page shows of it: options, threshold, the neurons above it, the strongest."""
    described = {}
    for method, result in zip(methods, found, strict=True):
        chosen = result.select(method.threshold)
        order = result.values.ravel().argsort()[::-1][:STRONGEST]
        width = result.values.shape[1]
        described[method.name] = {
            "title": result.score.title,
            "unit": result.score.unit,
            "options": dict(method.options),
            "threshold": method.threshold,
            "count": len(chosen),
            "share": chosen.share,
            "per_layer": chosen.per_layer(),
            "strongest": [
                {"layer": int(place // width), "index": int(place % width), "value": float(result.values.flat[place])}
                for place in order
            ],
        }
    return described


def agreement_of(found: Sequence[ScoreResult]) -> dict[str, Any]:
    """Return what the page draws of the agreement of several scores: rank correlations, and shared tops by size."""
    from safeneuron.agreement import agreement

    compared = agreement(found)
    pairs = list(combinations(range(len(found)), 2))
    return {
        "spearman": [
            {"first": found[i].name, "second": found[j].name, "correlation": float(compared.spearman[i, j])}
            for i, j in pairs
        ],
        "top_sizes": compared.sizes.tolist(),
        "chance_jaccard": compared.chance.tolist(),
        "jaccard": [
            {"first": found[i].name, "second": found[j].name, "values": compared.jaccard[i, j].tolist()}
            for i, j in pairs
        ],
    }


def written_methods(described: Mapping[str, Mapping[str, Any]], agreement: Mapping[str, Any] | None) -> str:
    """Return the scores' strongest neurons, and how far the scores agree, as tables."""
    strongest = [
        {"score": name, "neuron": f"{row['layer']}:{row['index']}", "value": row["value"]}
        for name, facts in described.items()
        for row in facts["strongest"][:5]
    ]
    tables = [terminal.table(strongest, ["score", "neuron", "value"])]
    if agreement:
        rows = [row | {"rank correlation": row["correlation"]} for row in agreement["spearman"]]
        tables.append(terminal.table(rows, ["first", "second", "rank correlation"]))
    return "\n\n".join(tables)


def _names(names: str | None, second: str | None) -> list[str]:
    known = scores()
    if names == "all":
        return [name for name, score in known.items() if not score.identifies and (second or not score.needs_other)]
    chosen = list(dict.fromkeys(name.strip() for name in (names or "").split(",") if name.strip()))
    for name in chosen:
        if name not in known:
            raise UserError(f"There is no score {name!r}; choose among: {', '.join(known)}.")
        if known[name].needs_other and not second:
            raise UserError(f"{name} compares two models; name the second one with --second.")
    # ES and SAS are there anyway.
    return [name for name in chosen if not known[name].identifies]


def _split(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{text!r} is not of the form {form}.")
    return name.strip(), value.strip()
