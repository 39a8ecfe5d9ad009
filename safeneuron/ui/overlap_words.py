"""What the words of the Overlap page mean, shown behind its question marks."""

OVERLAP = (
    "Safety neurons are found for each category of harm, layer, method or model, and compared: what they have in "
    "common, and how much random sets of the same sizes would."
)
CATEGORY_SETS = (
    "A category's safety neurons: its harmful prompts against all benign ones, under the thresholds as they stand. "
    "Core: in the sets of all categories; shared: of two or more; task-specific: of one."
)
OVERLAP_FORMULA = (
    "The paper does not print its formula. of all: neurons in all K sets, divided by those in any of them (Jaccard). "
    "of the mean size: the same, divided by the mean number of neurons of the K sets."
)
LAYERS_ALIKE = (
    "The residual stream is what the layers hand on to each other: a vector at every token, read here at the last one "
    "of the prompt. CKA says how alike two layers' pictures of the same prompts are; a probe is the simplest "
    "classifier, a weighted sum of the stream's numbers."
)
WRITTEN = (
    "Each neuron adds its output weight, times its activation, to the residual stream. Added up over a layer's safety "
    "neurons, and measured along the refusal direction, or in what it adds to the score of words that open a refusal."
)
STABLE = (
    "Safety neurons are found from a sample of prompts. Bootstrap: prompts are drawn anew, with replacement, and the "
    "neurons found again; those found every time do not hang on single prompts."
)
VARIATIONS = (
    "The same prompts, with one thing changed at a time. Wordings are frames around every prompt of both classes, the "
    "same for all; nothing is generated. Each is one more pass, of which means and variances are kept."
)
OVERLAP_RUNS = (
    "Which of the chosen model's safety neurons each model keeps, under the same thresholds, and how far its layers "
    "moved: CKA is 1 where a layer sees the prompts as before; the cosine says whether the direction from benign to "
    "harmful prompts is the same one. Means over layers."
)
CHANCE = "Two random sets with as many neurons in every layer: what they would have, and how likely so much is."
OVERLAP_JOB = (
    "A process of its own reads the prompts in one pass and compares them; it goes on when this page is closed. What "
    "is on disk already is not done again, and this page draws each part as soon as it is there."
)
OVERLAP_LAYER = (
    "Marks one layer in all plots of this page. A click on a bar or point chooses it too. From here you can see the "
    "layer's safety neurons on the map, or switch them off."
)
