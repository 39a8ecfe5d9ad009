"""The order by cluster: made once from kept activations, found again without a model, another one for other prompts."""

import numpy as np
import pytest

from safeneuron.cluster_orders import activations_kept, kept_cluster_order, make_cluster_order
from safeneuron.errors import UserError
from safeneuron.observations.observation import observations
from safeneuron.observations.record import both_classes
from safeneuron.ordering import cluster_order
from safeneuron.prompts.classes import PromptClasses
from safeneuron.prompts.promptset import PromptSet
from safeneuron.scores.result import targets_of


@pytest.fixture
def classes(prompts):
    return PromptClasses(PromptSet("harmful", prompts[:3]), PromptSet("benign", prompts[3:]))


def no_model():
    pytest.fail("the model was asked for")


def test_it_is_made_once_and_is_that_of_the_activations_on_both_classes(home, llama, classes):
    name = llama.fingerprint
    targets = targets_of(name, classes, "last")
    assert kept_cluster_order(name, classes, "last") is None and not activations_kept(targets)
    order = make_cluster_order(lambda: llama, name, classes, "last")
    assert activations_kept(targets) and order.name == "cluster" and order.neurons.shape == llama.shape
    harmful, benign = (observations()["record"].kept(target) for target in targets)
    for layer in range(llama.shape[0]):
        np.testing.assert_array_equal(order.neurons[layer], cluster_order(both_classes(harmful, benign, layer)))
    kept = kept_cluster_order(name, classes, "last")
    assert kept.name == "cluster" and kept.neurons.dtype == np.int64
    np.testing.assert_array_equal(kept.neurons, order.neurons)


def test_activations_that_are_kept_need_no_model(home, llama, classes):
    name = llama.fingerprint
    first = make_cluster_order(lambda: llama, name, classes, "last")
    again = make_cluster_order(no_model, name, classes, "last")
    np.testing.assert_array_equal(first.neurons, again.neurons)


def test_another_model_other_prompts_and_another_pooling_have_another_order(home, llama, classes):
    make_cluster_order(lambda: llama, llama.fingerprint, classes, "last")
    fewer = PromptClasses(classes.harmful, PromptSet("benign", classes.benign.prompts[:2]))
    assert kept_cluster_order("another", classes, "last") is None
    assert kept_cluster_order(llama.fingerprint, fewer, "last") is None
    assert kept_cluster_order(llama.fingerprint, classes, "mean") is None
    shuffled = PromptClasses(classes.harmful, PromptSet("benign", classes.benign.prompts[::-1]))
    assert kept_cluster_order(llama.fingerprint, shuffled, "last") is not None, "the order of prompts is no matter"


def test_a_damaged_file_is_one_sentence(home, llama, classes):
    make_cluster_order(lambda: llama, llama.fingerprint, classes, "last")
    (file,) = (home / "orders").glob("*/order.safetensors")
    file.write_bytes(b"not an order")
    with pytest.raises(UserError, match="is damaged; delete it"):
        kept_cluster_order(llama.fingerprint, classes, "last")


def test_progress_names_what_is_done(home, llama, classes):
    told = []
    make_cluster_order(lambda: llama, llama.fingerprint, classes, "last", lambda step, share: told.append(step))
    assert list(dict.fromkeys(told)) == [
        "Reading activations on harmful prompts",
        "Reading activations on benign prompts",
        "Clustering the neurons of each layer",
    ]
