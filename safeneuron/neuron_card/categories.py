"""One neuron's mean activation by category of harm, beside that on the same prompts' safe twins."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from safeneuron.neuron_card.interval import Mean, mean_of
from safeneuron.neuron_card.records import Records
from safeneuron.neurons import Neuron
from safeneuron.observations.record import ActivationRecord
from safeneuron.prompts import builtin


@dataclass(frozen=True)
class CategoryMeans:
    """Mean activation of one neuron on the prompts of one category of harm, and on their safe twins."""

    category: str
    harmful: Mean
    twin: Mean


def category_means(records: Records, neuron: Neuron) -> tuple[CategoryMeans, ...]:
    """Return the means of every category of the built-in prompts that the records hold, in their order."""
    if records.twins is None:
        return ()
    rows = builtin.harmful_prompts()
    harmful = _by_category(records.harmful, neuron, {row.prompt: row.category for row in rows})
    twins = _by_category(records.twins, neuron, {row.twin: row.category for row in rows})
    return tuple(
        CategoryMeans(category, mean_of(harmful[category]), mean_of(twins[category]))
        for category in builtin.categories()
        if category in harmful and category in twins
    )


def _by_category(record: ActivationRecord, neuron: Neuron, category_of: Mapping[str, str]) -> dict[str, np.ndarray]:
    categories = np.array([category_of.get(prompt, "") for prompt in record.prompts])
    values = record.neuron(*neuron)
    return {str(category): values[categories == category] for category in np.unique(categories)}
