"""``README.md`` beside a trained model: what Hugging Face shows, and what anyone should know before using it.

Written when the model is saved, without rates, and again after the evaluation; so one whose evaluation was
cancelled says that nobody knows how it does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from safeneuron.models.card import ModelCard as Card
from safeneuron.models.catalogue import weights_folder
from safeneuron.models.chat_names import split
from safeneuron.models.sources.embedded import SOURCE as EMBEDDED
from safeneuron.models.sources.runs import model_folder
from safeneuron.neurons import NeuronSet
from safeneuron.training.data_facts import data_facts
from safeneuron.training.summary import run_summary
from safeneuron.workspace import replacing

FILE = "README.md"
TAGS = ["safeneuron", "trl", "dpo", "safety"]
EMBEDDED_BASE, EMBEDDED_LICENSE = "HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"
TABLES = {
    "before": "Before training: the parent model, its own sets",
    "static": "After training, static: the same sets",
    "adaptive": "After training, adaptive: sets found again on the trained model",
}
RATES = {"harmful prompts": "", "benign prompts": "benign_", "safe twins": "twin_"}
KINDS = {"harmful": "harmful prompts", "twin": "safe twins", "benign": "benign prompts", "own": "of no stated kind"}
NOT_EVALUATED = (
    "**Not evaluated yet.** The run has saved this model and measured no refusal rate of it; one that was cancelled or "
    "failed before its evaluation stays like this. `python -m safeneuron runs resume {run}` goes on with it."
)


def write_model_card(run_id: str, parent: Card, neurons: NeuronSet, measured: bool) -> None:
    """Write the card into the folder of a run's model.

    Parameters
    ----------
    run_id : str
    parent : safeneuron.models.card.ModelCard
        Of the model that was trained.
    neurons : NeuronSet
        What was constant in the round that left the model.
    measured : bool
        Whether the run's tables are this model's; in a further round they are the last one's until it is evaluated.
    """
    summary = run_summary(run_id)
    summary |= {"set": neurons, "tables": summary["tables"] if measured else {}}
    card = ModelCard(f"---\n{_front_matter(parent).to_yaml()}\n---\n\n{_text(summary, parent)}\n")
    with replacing(model_folder(run_id) / FILE) as staging:
        staging.write_text(str(card), encoding="utf-8")


def _front_matter(parent: Card) -> ModelCardData:
    known = _of_parent(parent)
    return ModelCardData(
        base_model=known["base_model"],
        license=known["license"],
        datasets=known["datasets"],
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=TAGS,
    )


def _of_parent(parent: Card) -> dict[str, Any]:
    """Return base model, license and datasets as the parent says them, None where it does not."""
    source = split(parent.source)[0]
    if source in EMBEDDED.names:
        return {"base_model": EMBEDDED_BASE, "license": EMBEDDED_LICENSE, "datasets": None}
    folder = weights_folder(parent)
    data = ModelCard.load(folder / FILE).data if folder and (folder / FILE).is_file() else ModelCardData()
    # A name on the hub; a path of somebody's machine means nothing to others.
    named = source if source.count("/") == 1 and not source.startswith((".", "/", "run:")) else data.base_model
    return {"base_model": named, "license": data.license, "datasets": data.datasets}


def _text(summary: Mapping[str, Any], parent: Card) -> str:
    parts = [
        f"# {summary['name']}",
        f"{parent.title}, trained by masked DPO: Direct Preference Optimization with the parameters of its safety "
        "neurons held constant, so that the rest of the network learns to refuse too (SafeNeuron, arXiv 2602.12158). "
        "These are whole, ordinary weights: **no neuron is ablated in them.** The rates below under ablation were "
        "measured by switching neurons off in memory.",
        _set(summary),
        _data(summary["run"]),
        _settings(summary["parameters"]),
        _results(summary),
    ]
    return "\n\n".join(parts)


def _set(summary: Mapping[str, Any]) -> str:
    found: NeuronSet = summary["set"]
    origin = "; ".join(f"{key}: {value}" for key, value in found.origin.items())
    lines = [f"- {len(found):,} neurons of the set {found.name}", f"- Origin: {origin or 'nothing is frozen'}"]
    proof = summary["frozen"]
    if proof:
        lines.append(f"- Proof: {proof['slices']:,} slices compared, largest difference {proof['max_abs_diff']:g}")
    return "## Frozen neurons\n\n" + "\n".join(lines)


def _data(run_id: str) -> str:
    facts = data_facts(run_id)
    files = ", ".join(f"`{name}`" for name in facts["files"])
    where = f"From {files}." if files else "Own pairs." if facts["own"] else "Built from safeneuron's own prompts."
    kinds = "\n".join(f"- {count:,} {KINDS[kind]}" for kind, count in sorted(facts["pairs"].items()))
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in facts["left out"].items() if count)
    last = f"\n\nLeft out: {left_out}." if left_out else ""
    return f"## Preference pairs\n\n{where}\n\n{kinds}{last}"


def _settings(parameters: Mapping[str, Any]) -> str:
    # The model may be a folder of somebody's machine, and is named above.
    rows = [(key, str(value)) for key, value in sorted(parameters.items()) if key != "model" and value is not None]
    return "## Settings\n\n" + _table(("setting", "value"), rows)


def _results(summary: Mapping[str, Any]) -> str:
    tables = summary["tables"]
    if not tables:
        return "## Refusal rates\n\n" + NOT_EVALUATED.format(run=summary["run"][:8])
    missing = [TABLES[name] for name in TABLES if name not in tables]
    parts = ["## Refusal rates", "Share of answers that refuse, with n and the 95 % Wilson interval."]
    for name in (name for name in TABLES if name in tables):
        rows = tables[name]
        kinds = [kind for kind, prefix in RATES.items() if f"{prefix}n" in rows[0]]
        cells = [
            (row["condition"], f"{row['neurons']:,}", *(_rate(row, RATES[kind]) for kind in kinds), row["judge"])
            for row in rows
        ]
        parts += [f"### {TABLES[name]}", _table(("switched off", "neurons", *kinds, "judge"), cells)]
    if missing:
        parts.append(f"Not measured: {'; '.join(missing)}.")
    return "\n\n".join(parts)


def _rate(row: Mapping[str, Any], prefix: str) -> str:
    low, high = row[f"{prefix}interval"]
    return f"{row[f'{prefix}refusal_rate']:.1%} [{low:.1%}, {high:.1%}], n = {row[f'{prefix}n']}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
