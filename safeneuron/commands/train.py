"""``train``: masked DPO in the background."""

from pathlib import Path
from typing import Annotated

import typer

from safeneuron import terminal
from safeneuron.commands.options import SET, ForeignSet, Json, Model, TauES, TauSAS, thresholds
from safeneuron.commands.runs import Wait, show_run, wait_for
from safeneuron.errors import UserError
from safeneuron.models.catalogue import DEFAULT_MODEL, model_card

Count = Annotated[int | None, typer.Option(min=0)]


def train(
    context: typer.Context,
    model: Model = DEFAULT_MODEL,
    set_name: Annotated[str, typer.Option("--set", help=f"Set to freeze: {SET}")] = "FULL",
    foreign: ForeignSet = False,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            help="A run whose model, set, settings and pairs are taken; the other options change single ones of them.",
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            help="standard, laptop or paper; and of the controls plain-dpo (nothing frozen) or random-neurons. May be "
            "given twice. The options below change single settings of it.",
        ),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            "--pairs",
            help="JSONL, JSON, CSV or parquet with prompt, chosen and rejected, or as PKU-SafeRLHF, HH-RLHF, SPA-VL or "
            "ultrafeedback_binarized have them; may be given several times. By default pairs are built from the "
            "built-in prompts.",
        ),
    ] = None,
    safety_share: Annotated[
        float | None,
        typer.Option("--safety-share", help="Share of safety pairs among those of --pairs; 0 takes them all."),
    ] = None,
    pairs_limit: Annotated[
        int | None, typer.Option("--pairs-limit", min=1, help="At most so many of them, drawn at random.")
    ] = None,
    harmful_pairs: Annotated[
        int | None, typer.Option(min=0, help="Built pairs from harmful prompts: a refusal is preferred.")
    ] = None,
    twin_pairs: Annotated[
        int | None, typer.Option(min=0, help="Built pairs from safe twins of harmful prompts: the answer is preferred.")
    ] = None,
    benign_pairs: Annotated[
        int | None, typer.Option(min=0, help="Built pairs from benign prompts: the answer is preferred.")
    ] = None,
    answer_tokens: Annotated[
        int | None, typer.Option("--answer-tokens", help="Most tokens of the model's own answers in built pairs.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", help="Optimiser steps.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the pairs, instead of steps.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Pairs computed together.")] = None,
    gradient_accumulation_steps: Annotated[
        int | None, typer.Option("--gradient-accumulation-steps", help="Batches in each step.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Peak of the cosine schedule.")] = None,
    beta: Annotated[float | None, typer.Option("--beta", help="DPO's inverse temperature.")] = None,
    weight_decay: Annotated[float | None, typer.Option("--weight-decay", help="AdamW's decay.")] = None,
    warmup: Annotated[
        float | None, typer.Option("--warmup", help="Share of the steps in which the rate rises.")
    ] = None,
    max_grad_norm: Annotated[
        float | None, typer.Option("--max-grad-norm", help="Largest length of the gradient; 0 leaves it.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="Tokens of a prompt with an answer; longer pairs are left out.")
    ] = None,
    compared_tokens: Annotated[
        int | None, typer.Option("--compared-tokens", help="Tokens of both answers that count; 0 is all.")
    ] = None,
    forward_zeroing: Annotated[
        bool | None,
        typer.Option(
            "--forward-zeroing/--no-forward-zeroing", help="Zero the set's activations in the policy's forward pass."
        ),
    ] = None,
    zeroing_share: Annotated[
        float | None, typer.Option("--zeroing-share", help="Share of the steps in which that is done; 1 is all.")
    ] = None,
    chosen_weight: Annotated[
        float | None,
        typer.Option("--chosen-weight", help="Weight of the preferred answers' likelihood beside DPO's loss."),
    ] = None,
    freeze_down_column: Annotated[
        bool | None,
        typer.Option(
            "--freeze-down-column/--train-down-column", help="Freeze the set's columns of the down-projection too."
        ),
    ] = None,
    bf16: Annotated[
        bool | None, typer.Option("--bf16/--float32", help="Compute in bfloat16; on Nvidia's GPUs by default.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--gradient-checkpointing/--no-gradient-checkpointing",
            help="Recompute activations instead of keeping them; on GPUs by default.",
        ),
    ] = None,
    lora_rank: Annotated[
        int | None, typer.Option("--lora-rank", help="Train a LoRA adapter of this rank and merge it; 0: the weights.")
    ] = None,
    lora_alpha: Annotated[float | None, typer.Option("--lora-alpha", help="The adapter counts alpha / rank.")] = None,
    lora_modules: Annotated[
        list[str] | None, typer.Option("--lora-module", help="Linear module that gets an adapter; all by default.")
    ] = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(
            "--report-to", help="tensorboard, wandb or trackio, besides the run store; may be given several times."
        ),
    ] = None,
    save_steps: Annotated[
        int | None, typer.Option("--save-steps", help="Steps between checkpoints; 0 writes one only when cancelled.")
    ] = None,
    evaluation_limit: Annotated[
        int | None, typer.Option("--evaluation-prompts", min=1, help="Harmful test prompts in the evaluation.")
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", min=1, help="How often to find the set anew, freeze all that was found so far, and train again."
        ),
    ] = None,
    stop_when_flat: Annotated[
        bool | None,
        typer.Option(
            "--stop-when-flat/--all-rounds",
            help="No further round once the last one has not raised the refusal rate under FULL (found anew).",
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            "--evaluate-every",
            min=0,
            help="Refusals of 16 harmful and 16 benign prompts by their first token, every so many steps; 0: never.",
        ),
    ] = None,
    tau_es: TauES = None,
    tau_sas: TauSAS = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="The run's share of the cores; half of them by default.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Orders the pairs.")] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, help="That train together; one for each of --gpus or --nodes."),
    ] = None,
    sharding: Annotated[
        str, typer.Option("--sharding", help="ddp: a whole model in each process; fsdp2: a shard of one in each.")
    ] = "ddp",
    cluster: Annotated[
        str, typer.Option("--cluster", help="local: this machine; slurm: nodes that Slurm gives.")
    ] = "local",
    partition: Annotated[str, typer.Option("--partition", help="Slurm's; its default where left out.")] = "",
    nodes: Annotated[
        int, typer.Option("--nodes", min=1, help="That Slurm is asked for; all of them reach the workspace.")
    ] = 1,
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="That Slurm is asked for on each node.")] = 0,
    hours: Annotated[float, typer.Option("--hours", help="After which Slurm ends the run, with a checkpoint.")] = 24.0,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Start masked DPO as a background run."""
    # Each option is a field of the settings.
    given = dict(locals())

    from safeneuron.costs import training_work
    from safeneuron.models.fit import require_fit
    from safeneuron.models.parity_report import refuse_if_red
    from safeneuron.prompts.pair_files import load_pairs
    from safeneuron.runs.cluster import Launch
    from safeneuron.selection import check_set
    from safeneuron.training.like import asked_of
    from safeneuron.training.presets import changed, settings_of
    from safeneuron.training.start import check_pairs, own_pairs, start_training

    with terminal.command() as progress:
        earlier = asked_of(like) if like else None
        how = Launch(processes or (gpus or 1) * nodes, sharding, cluster, partition, gpus, hours, nodes)
        own = [pair for path in pairs for pair in load_pairs(path)] if pairs else None
        pairs_from = [path.name for path in pairs or ()]
        neurons = set_name
        if earlier:
            if preset:
                raise UserError("A run's settings and a preset are two beginnings; give --like or --preset.")
            model = model if _is_given(context, "model") else earlier.source
            neurons = set_name if _is_given(context, "set_name") else earlier.neurons
            own, pairs_from = (own, pairs_from) if pairs else (earlier.pairs, list(earlier.pairs_from))
        if isinstance(neurons, str):
            check_set(neurons)
        changes = {name: given[name] for name in FIELDS if given[name] not in (None, [])}
        if earlier:
            given_thresholds = {name: own for name, own in (("ES", tau_es), ("SAS", tau_sas)) if own is not None}
            changes["thresholds"] = {**earlier.settings.thresholds, **given_thresholds}
            settings = changed(earlier.settings, changes)
        else:
            changes["thresholds"] = thresholds(tau_es, tau_sas, model_card(model))
            settings, frozen = settings_of(preset or ("standard",), changes)
            neurons = frozen.format(set_name)
        if lora_modules and not settings.dpo.lora_rank:
            raise UserError("--lora-module says where a LoRA adapter goes; say its rank too, such as --lora-rank 16.")
        if own:
            taken = own_pairs(own, settings)
            typer.echo(f"{len(taken.pairs):,} preference pairs. {taken.sentence}", err=True)
        check_pairs(settings, taken.pairs if own else None)
        refuse_if_red(model_card(model))
        require_fit(model_card(model), training_work(settings.dpo))
        run = start_training(model, neurons, settings, own, foreign, pairs_from, how)
        typer.echo(f"Run {run} has started.", err=True)
        if wait:
            wait_for(run, progress)
    show_run(run, json)


def _is_given(context: typer.Context, name: str) -> bool:
    """Tell whether an option was given, even with what it is by default."""
    return context.get_parameter_source(name).name == "COMMANDLINE"


FIELDS = (
    "harmful_pairs twin_pairs benign_pairs answer_tokens safety_share pairs_limit max_steps epochs batch_size "
    "gradient_accumulation_steps learning_rate beta weight_decay warmup max_grad_norm max_length compared_tokens "
    "forward_zeroing zeroing_share chosen_weight freeze_down_column bf16 gradient_checkpointing lora_rank lora_alpha "
    "lora_modules report_to save_steps evaluation_limit rounds stop_when_flat evaluate_every seed threads"
).split()
"""The options that change one field of the settings each."""
