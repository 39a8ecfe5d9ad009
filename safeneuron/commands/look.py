"""``look``: the numbers of the Model page's look inside one prompt."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from safeneuron import terminal
from safeneuron.commands.options import Json, Model, TauES, TauSAS, opener, selected, thresholds
from safeneuron.errors import UserError
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card

if TYPE_CHECKING:
    from safeneuron.residual_stream.reading import ResidualStream


def look(
    model: Model = DEFAULT_MODEL,
    prompt: Annotated[
        str | None, typer.Option(help="One prompt; the first harmful one of the refusal meter's panel by default.")
    ] = None,
    set_name: Annotated[
        str,
        typer.Option(
            "--set",
            help="Look again with these off: ES, SAS, FULL, RANDOM, a .json set, or neurons such as 15:766,15:801.",
        ),
    ] = "ORI",
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest next tokens to name.")] = 5,
    positions: Annotated[int, typer.Option(min=1, help="How many of the prompt's last tokens to look at.")] = 24,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of RANDOM.")] = 0,
    json: Json = False,
) -> None:
    """Look inside one prompt: what each layer would say next, and what its parts add to a refusal."""
    from safeneuron.prompts import builtin
    from safeneuron.selection import check_set

    with terminal.command() as progress:
        # Names first: a wrong one should not take seconds to be refused.
        prompt = builtin.panel()[0].prompts[0] if prompt is None else prompt
        if not prompt.strip():
            raise UserError("The prompt is empty; write one after --prompt.")
        check_set(set_name)
        card = model_card(model)
        chosen_thresholds = thresholds(tau_es, tau_sas, card)
        model_of = opener(card, progress)
        neurons = selected(set_name, card, False, chosen_thresholds, seed, progress, model_of)
        loaded = model_of()
        from safeneuron.residual_stream.look import look_inside

        found = {"original": look_inside(loaded, prompt, None, top, positions, progress)}
        if neurons:
            found["ablated"] = look_inside(loaded, prompt, neurons, top, positions, progress)
    result: dict[str, Any] = {"model": model, "prompt": prompt, "set": set_name, "count": len(neurons)}
    result |= {"original": None, "ablated": None} | {kind: stream.to_json() for kind, stream in found.items()}
    text = "\n\n".join(_text(stream) for stream in found.values())
    if not neurons and set_name != "ORI":
        result["note"] = "No neuron is above the thresholds, so nothing was switched off; lower --tau-es or --tau-sas."
        text += f"\n\n{result['note']}"
    terminal.show(result, json, f"{prompt}\n\n{text}")


def _text(stream: "ResidualStream") -> str:
    rows = [
        row
        | {"likeliest next tokens": "  ".join(f"{_plain(one['token'])} {one['probability']:.0%}" for one in row["top"])}
        for row in stream.rows()
    ]
    columns = {"refusal_score": "refusal score", "norm": "norm", "attention": "attention", "mlp": "MLP"}
    table = terminal.table(
        [{columns.get(name, name): value for name, value in row.items()} for row in rows],
        ["layer", *columns.values(), "likeliest next tokens"],
    )
    switched = f"{stream.off}, {stream.neurons} neurons off" if stream.neurons else "ORI, nothing switched off"
    return (
        f"{switched}; behind each layer, at the last token of the prompt as the model reads it\n{table}\n{_sum(stream)}"
    )


def _sum(stream: "ResidualStream") -> str:
    found = stream.attribution
    if found is None:
        return f"No attribution: {stream.not_attributed}."
    named = ", ".join(map(_plain, stream.refusal_tokens))
    return (
        f"Mean logit of {named} less the mean of all logits: {found.total:+.3f} = embedding {found.embedding:+.3f}, "
        f"attention {found.attention.sum():+.3f}, MLP {found.mlp.sum():+.3f}, biases {found.constant:+.3f}, "
        f"rounding {found.rounding:+.1e}. The columns attention and MLP are this sum's parts."
    )


def _plain(token: str) -> str:
    """Return a token as it can stand in a line, its spaces and ends of line to be seen."""
    return repr(token)
