"""``neuron``: every number of one neuron's card."""

from typing import Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Benign, Column, Harmful, Json, Model, opened, prompts_from
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card
from safeneuron.models.fit import SCORING, require_fit
from safeneuron.neurons import parse_neurons
from safeneuron.statistics import check_pooling


def neuron(
    neuron: Annotated[str, typer.Argument(metavar="LAYER:INDEX", help="The neuron, such as 15:766.")],
    model: Model = DEFAULT_MODEL,
    harmful: Harmful = None,
    benign: Benign = None,
    column: Column = None,
    pooling: Annotated[str, typer.Option(help="last, max or mean over the prompt's tokens.")] = "last",
    json: Json = False,
) -> None:
    """Show all about one neuron: when it is active, what it writes, its neighbours, and what goes without it."""
    from safeneuron.neuron_card.card import activity, card_json, check_neuron, examine
    from safeneuron.neuron_card.records import read_records
    from safeneuron.neuron_card.standing import Ranking
    from safeneuron.prompts import builtin
    from safeneuron.scores.score import identifying_scores
    from safeneuron.scoring import classes_of, score_table

    with terminal.command() as progress:
        # Names first: a wrong one should not take seconds to be refused.
        (place,) = parse_neurons([neuron])
        own = [prompts_from(path, column) for path in (harmful, benign)]
        classes = classes_of(*own) if any(own) else None
        check_pooling(pooling)
        card = model_card(model)
        check_neuron(place, card.shape)
        require_fit(card, SCORING)
        loaded = opened(card, progress)
        records = read_records(loaded, pooling, progress, classes)
        table = score_table(loaded, *own, pooling, progress)
        from safeneuron.refusal.panel import Panel

        panel = Panel(loaded, tuple(prompt for part in builtin.panel() for prompt in part.prompts))
        examined = examine(loaded, panel, place, records, progress)
        found = activity(records, place)
        standings = {name: Ranking(name, table.values(name)).standing(place) for name in identifying_scores()}
    result: dict[str, Any] = {"model": model, "pooling": pooling}
    result |= card_json(place, records, found, examined)
    result["scores"] = {name: {"value": one.value, "rank": one.rank, "of": one.of} for name, one in standings.items()}
    terminal.show(result, json, _text(result))


def _text(card: dict[str, Any]) -> str:
    weight, off = card["output_weight"], card["ablation"]
    scores = ", ".join(
        f"{name} {one['value']:.2f} (rank {one['rank']:,} of {one['of']:,})" for name, one in card["scores"].items()
    )
    low, high = card["effect_size_interval"]
    interval = f", 95 % interval {low:.2f} to {high:.2f}" if low is not None else ""
    cosine = weight["refusal_cosine"]
    summary = [
        f"Neuron {card['layer']}:{card['index']}: {scores}",
        f"d {card['effect_size']:.2f}{interval}, {len(card['activations']['harmful'])} "
        f"harmful and {len(card['activations']['benign'])} benign prompts, {card['pooling']} pooling",
        f"Output weight: length {weight['norm']:.3f}"
        + (f", cosine with the refusal direction {cosine:+.3f}" if cosine is not None else ""),
        f"Promotes {_tokens(weight['promoted'])}",
        f"Suppresses {_tokens(weight['suppressed'])}",
        f"Switched off alone: refusal log-odds {_mean(off['harmful'])} on harmful and {_mean(off['benign'])} on benign "
        "prompts" + (f", perplexity × {off['perplexity_ratio']:.4f}" if off["perplexity_ratio"] is not None else ""),
    ]
    prompts = [
        {"activation": one["activation"], "kind": one["kind"], "prompt": one["prompt"]}
        for end in ("most_active", "least_active")
        for one in card[end]
    ]
    categories = [
        {"category": one["category"], "harmful": one["harmful"]["value"], "safe twins": one["twin"]["value"]}
        for one in card["categories"]
    ]
    nearest = [
        {
            "by activation": f"{one['layer']}:{one['index']}",
            "r": one["nearness"],
            "by output weight": f"{other['layer']}:{other['index']}",
            "cosine": other["nearness"],
        }
        for one, other in zip(
            card["nearest_by_correlation"]["anywhere"], card["nearest_by_output_weight"]["anywhere"], strict=False
        )
    ]
    return "\n\n".join(
        [
            "\n".join(summary),
            *([terminal.table(categories, ["category", "harmful", "safe twins"])] if categories else []),
            terminal.table(prompts, ["activation", "kind", "prompt"]),
            terminal.table(nearest, ["by activation", "r", "by output weight", "cosine"]),
        ]
    )


def _tokens(ends: list[list[Any]]) -> str:
    return " ".join(repr(token) for token, _ in ends)


def _mean(found: dict[str, float]) -> str:
    return f"{found['value']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
