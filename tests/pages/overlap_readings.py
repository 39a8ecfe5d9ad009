"""What a tiny model would have read of its prompts, and what the Overlap page shows of it."""

import json

import numpy as np
from safetensors.numpy import save_file

from safeneuron.observations.observation import observations
from safeneuron.observations.record import FACTS, TENSORS
from safeneuron.overlap.material import RECORD, STREAM, material_of
from safeneuron.prompts.choices import BUILT_IN
from tests.pages.conftest import PLANTED

LAYERS, WIDTH, HIDDEN = 3, 40, 32


def keep_records(model, prompts=BUILT_IN):
    generator = np.random.default_rng(0)
    for target, shift in zip(material_of(model, prompts=prompts).targets, (5.0, 0.0), strict=True):
        for name, width in ((RECORD, WIDTH), (STREAM, HIDDEN)):
            values = generator.standard_normal((LAYERS, len(target.prompts), width)).astype(np.float32)
            for layer, index in PLANTED if name == RECORD else [(layer, 0) for layer in range(LAYERS)]:
                values[layer, :, index] += shift
            folder = observations()[name].folder(target)
            folder.mkdir(parents=True)
            save_file({"activations": values}, folder / TENSORS)
            (folder / FACTS).write_text(json.dumps({"prompts": list(target.prompts), "pooling": "last"}))


def part(at, name):
    return at.segmented_control(key="part").set_value(name).run()


def drawn(at):
    assert not at.exception and not at.error, at
    return len(at.get("plotly_chart"))


def texts(at):
    return " ".join(found.value for found in at.main.markdown)
