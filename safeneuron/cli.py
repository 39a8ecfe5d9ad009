"""``python -m safeneuron``: the same functions as the pages, and every number that they show."""

import typer

from safeneuron.commands.ablation import ablate
from safeneuron.commands.ask import ask
from safeneuron.commands.chat import models_chat
from safeneuron.commands.degradation import degradation_app
from safeneuron.commands.evaluation import evaluate
from safeneuron.commands.iterative_pruning import iterative_pruning
from safeneuron.commands.judges import judges_app
from safeneuron.commands.look import look
from safeneuron.commands.measuring import runs_measure
from safeneuron.commands.methods import methods
from safeneuron.commands.models import align, models_app
from safeneuron.commands.neuron import neuron
from safeneuron.commands.overlap import overlap
from safeneuron.commands.pruning import prune
from safeneuron.commands.run_pictures import runs_picture
from safeneuron.commands.runs import runs_app
from safeneuron.commands.scores import score
from safeneuron.commands.sets import sets_app
from safeneuron.commands.speed import bench
from safeneuron.commands.train import train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Find, switch off and freeze the safety neurons of language models.",
)
models_app.command("chat")(models_chat)
runs_app.command("picture")(runs_picture)
runs_app.command("measure")(runs_measure)
app.add_typer(models_app, name="models")
for command in (
    align,
    score,
    methods,
    neuron,
    overlap,
    ablate,
    ask,
    look,
    evaluate,
    prune,
    iterative_pruning,
    train,
    bench,
):
    app.command()(command)
app.add_typer(degradation_app, name="degradation")
app.add_typer(runs_app, name="runs")
app.add_typer(sets_app, name="sets")
app.add_typer(judges_app, name="judges")
