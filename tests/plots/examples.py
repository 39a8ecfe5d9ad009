"""An example of every figure, and what they are drawn from."""

from dataclasses import replace

import numpy as np

from safeneuron.iterative_pruning import IterativePruning, PruningRound
from safeneuron.neuron_card.categories import CategoryMeans
from safeneuron.neuron_card.interval import Mean
from safeneuron.neurons import NeuronSet
from safeneuron.plots.activation_by_category import activation_by_category
from safeneuron.plots.activation_distributions import activation_distributions
from safeneuron.plots.attack_rounds import attack_rounds
from safeneuron.plots.logit_attribution import logit_attribution
from safeneuron.plots.logit_lens import logit_lens
from safeneuron.plots.neuron_map import neuron_map
from safeneuron.plots.per_layer import per_layer, per_layer_compared
from safeneuron.plots.rate_differences import rate_differences
from safeneuron.plots.refusal_bars import refusal_bars
from safeneuron.plots.refusal_by_layer import refusal_by_layer
from safeneuron.plots.refusal_meter import refusal_meter
from safeneuron.plots.refusals_while_training import refusals_while_training
from safeneuron.plots.score_histogram import score_histogram
from safeneuron.plots.training_curves import RunCurves, training_curves
from safeneuron.refusal.rates import rate
from safeneuron.refusal.reading import Reading
from safeneuron.residual_stream.reading import LogitAttribution, ResidualStream

SETS = {
    "ES": NeuronSet("ES", "m", (3, 40), frozenset({(0, 1), (0, 2)})),
    "SAS": NeuronSet("SAS", "m", (3, 40), frozenset({(2, 3)})),
    "FULL": NeuronSet("FULL", "m", (3, 40), frozenset({(0, 1), (0, 2), (2, 3)})),
}


ATTACK = IterativePruning(
    "m",
    (
        PruningRound(0, 0, replace(SETS["FULL"], neurons=frozenset()), rate(0.75, 16, "arditi")),
        PruningRound(1, 3, SETS["FULL"], replace(rate(0.25, 16, "arditi"), incoherent=2)),
    ),
    rate(0.5, 16, "arditi"),
)


RATES = {"ORI": 0.95, "ES": 0.4, "SAS": 0.3, "FULL": 0.0, "RANDOM": 1.0}


ROWS = [
    {
        "condition": condition,
        "neurons": 3,
        "n": 64,
        "refusal_rate": rate,
        "interval": [max(0.0, rate - 0.05), min(1.0, rate + 0.05)],
        "judge": "arditi",
        "benign_n": 40,
        "benign_refusal_rate": 0.025,
        "benign_interval": [0.01, 0.1],
        "twin_n": 20,
        "twin_refusal_rate": 0.2,
        "twin_interval": [0.1, 0.3],
        "draws": 1,
    }
    for condition, rate in RATES.items()
]


DIFFERENCES = [
    {"condition": "ORI", "judge": "arditi"}
    | {f"{prefix}n": 20 for prefix in ("", "benign_", "twin_")}
    | {f"{prefix}difference_points": 12.0 for prefix in ("", "benign_", "twin_")}
    | {f"{prefix}difference_interval": [-3.0, 30.0] for prefix in ("", "benign_", "twin_")}
]


PANEL = ["How?", "Why?"]


READING = Reading(np.array([3.0, -2.0]), np.array([-1.0, -2.5]), [True, False])


STREAM = ResidualStream(
    model="m",
    prompt="How?",
    off="ORI",
    neurons=0,
    tokens=("?", "<|im_end|>", "\n"),
    first_position=10,
    top_tokens=np.array([[[" the", "a"]] * 3, [["no", "yes"]] * 3, [["I", "Sorry"]] * 3], dtype=object),
    top_probabilities=np.array([[[0.1, 0.05]] * 3, [[0.4, 0.3]] * 3, [[0.7, 0.2]] * 3]),
    refusal_scores=np.array([-4.0, 0.0, 3.0]),
    norms=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [70.0, 80.0, 90.0]]),
    refusal_tokens=("I", "Sorry"),
    attribution=LogitAttribution(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]), 0.4, 0.2, 7.2),
)


LOSS = {"loss": (np.array([1, 2]), np.array([0.7, 0.6]))}


SPREAD = np.random.default_rng(0).standard_normal((3, 4000))


HARMFUL, BENIGN = np.linspace(0, 8, 40), np.linspace(-2, 3, 20)


CATEGORIES = [
    CategoryMeans("fraud", Mean(2.0, 1.0, 3.0, 5), Mean(0.5, 0.0, 1.0, 5)),
    CategoryMeans("theft_and_sabotage", Mean(4.0, 3.0, 5.0, 6), Mean(-0.5, -1.0, 0.0, 6)),
]


FIGURES = {
    "distributions": lambda: activation_distributions("1:7", HARMFUL, BENIGN, 1.2, (0.8, 1.6), "at the last token"),
    "categories": lambda: activation_by_category("1:7", CATEGORIES),
    "map": lambda: neuron_map(np.ones((3, 40)), "ES", "Cohen's d", SETS["FULL"], "a model"),
    "histogram": lambda: score_histogram(SPREAD, "ES", "Cohen's d", "a model", threshold=2.0),
    "histogram of a difference": lambda: score_histogram(SPREAD, "ES", "Cohen's d", "a model", difference_to="another"),
    "layers": lambda: per_layer(SETS),
    "layers of two": lambda: per_layer_compared("a model", SETS["FULL"], "another", SETS["SAS"]),
    "bars": lambda: refusal_bars({"now": ROWS}),
    "benign bars": lambda: refusal_bars({"before": ROWS, "after": ROWS}, "benign"),
    "twin bars": lambda: refusal_bars({"now": ROWS}, "twin"),
    "differences": lambda: rate_differences(DIFFERENCES, "after", "before"),
    "meter": lambda: refusal_meter(PANEL, {"a model": READING}, "FULL"),
    "two meters": lambda: refusal_meter(PANEL, {"a model": READING, "another": READING}, "FULL"),
    "lens": lambda: logit_lens(STREAM, 3),
    "refusal by layer": lambda: refusal_by_layer([STREAM]),
    "attribution": lambda: logit_attribution([STREAM]),
    "refusals while training": lambda: refusals_while_training(
        {name: (np.array([0, 2]), np.array([0.25, 0.5])) for name in ("ORI", "FULL", "RANDOM", "benign")},
        16,
        "log-odds",
        2,
    ),
    "attack": lambda: attack_rounds({"a model": ATTACK}),
    "two attacks": lambda: attack_rounds({"before": replace(ATTACK, random=None), "after": ATTACK}),
    "curves": lambda: training_curves([RunCurves("a run", 0, LOSS)], 2),
    "two runs": lambda: training_curves([RunCurves("a run", 3, LOSS), RunCurves("another", 0, LOSS)], 2),
}
