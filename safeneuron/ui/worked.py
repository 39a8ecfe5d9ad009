"""What the plots of the Overlap page show on the default model: a worked example beside each, as measured.

With the built-in prompts and the model's own thresholds; `python -m safeneuron overlap` prints the same numbers.
"""

from safeneuron.models.catalogue import DEFAULT_MODEL

WORKED = {
    "share-by-depth": "32 of the 105 safety neurons lie in the last three layers, 11 in the ten layers from 10 to 19.",
    "overlap-by-layer": "ES and SAS, made of the same means, share 8 of their 55 and 58 neurons; 0.1 would by chance.",
    "core-shared-specific": "of 306 neurons in any of ten categories' sets 37 are in all ten, 157 in two or more but "
    "not in all, 112 in one alone: a common core, and neurons of each harm's own.",
    "overlap-ratio-union": "two categories share 44 % of their neurons, all ten 12 %; random groups of the same "
    "prompts 69 % and 37 %, random sets of neurons 0.2 % and none.",
    "overlap-ratio-mean": "two categories share 61 % of their mean size, all ten 32 %; random groups of the same "
    "prompts 82 % and 59 %.",
    "category-similarity": "violence and theft are most alike (Jaccard index 0.59), weapons and harassment least "
    "(0.27), and each pair shares far more than random sets would.",
    "largest-intersections": "the largest is that of all ten categories, 37 neurons, where random sets would share "
    "none; next come the neurons of cybercrime alone, 26.",
    "layers-harmful": "neighbouring layers are alike (CKA 0.95), layers half the depth apart half as much (0.52), the "
    "first and the last hardly (0.13).",
    "layers-benign": "much as on harmful prompts: neighbours 0.93, half the depth apart 0.43, first and last 0.10.",
    "layers-difference": "half the depth apart the layers agree a little more on harmful prompts (by 0.09), but the "
    "first layers less: the largest differences are +0.36 and −0.26.",
    "layers-cosine": "harm is not one direction through the model: neighbouring layers' directions have a cosine of "
    "0.74, those of layers half the depth apart 0.06.",
    "layers-angle": "42 degrees between neighbours, 85 half the depth apart, which is what two random subspaces have "
    "(86).",
    "layers-probe-transfer": "one layer on, a probe is still right in 95 %; half the depth on in 64 %, half the depth "
    "back in 57 %: barely better than a coin.",
    "probe-accuracy": "harmful and benign prompts are told apart in 90 % behind layer 0 and in 99 % from layer 21 on; "
    "from their safe twins in 63 % behind layer 0 and in 95 % from layer 21 on. Early layers know the topic, later "
    "ones the harm.",
    "category-transfer": "behind the last layer a probe fitted on one category is right in 97 % on the others (87 % "
    "or more on each), behind layer 0 in 88 %: most of what tells harm from benign is common.",
    "written-direction": "10 neurons of layer 27 write 73 % of what all 1,536 of that layer add along the refusal "
    "direction.",
    "written-logits": "the 10 neurons of layer 27 write 1.2 logits towards refusing, 87 % of their MLP; all 105 "
    "together 2.5 of the 4.6 that all MLPs write.",
    "prompts-needed": "two sets from 140 different prompts of each class agree to 0.65, from 33 to 0.39, from 8 to "
    "0.11, and the curve still rises: more prompts would help.",
    "membership": "69 of the 105 safety neurons are found in at least 95 % of the draws; the index with the set of "
    "all prompts is 0.81 (0.76 to 0.87).",
    "variations": "read at the maximum over the tokens instead of the last one, only 9 of the 105 safety neurons are "
    "found again; in other words the sets agree to 0.29 (polite) to 0.57, with another system prompt to 0.48 to 0.64.",
    "kept-by-layer": "a masked-DPO run with the laptop settings keeps 58 of the 105 safety neurons and has 101 others "
    "(Jaccard index 0.28), plain DPO on the same pairs keeps 58 and has 88 others: not by moving more of them does "
    "masked DPO help.",
    "drift": "after a masked-DPO run with the laptop settings the layers moved more on harmful prompts than on benign "
    "ones (mean CKA 0.865 and 0.916), most behind layer 26; plain DPO moved them as much (0.875 and 0.910).",
    "kept-by-category": "no category's neurons are spared: with a masked-DPO run (laptop settings) each category's set "
    "has a Jaccard index of 0.23 (theft) to 0.30 (drugs) with the base's, with plain DPO on these pairs 0.21 to 0.29.",
    "moved-overlap-ratio-union": "the sets are larger after training and overlap as before: two categories share 46 % "
    "after masked DPO and 44 % after plain DPO (base 44 %), all ten 11 % and 9 % (12 %).",
    "moved-overlap-ratio-mean": "two categories share 62 % of their mean size after masked DPO and 61 % after plain "
    "DPO (base 61 %), all ten 28 % and 24 % (32 %).",
    "moved-probes": "harm is read as before: each layer's own probe is right in 97 % on average, and the base's still "
    "in 96 %; they differ by at most 2 points after masked DPO and 3 after plain DPO, around layer 10.",
    "moved-written-logits": "the base's 105 safety neurons write on, more than before: 4.6 logits after masked DPO and "
    "6.3 after plain DPO (base 2.5), of 9.1 and 10.1 that all MLPs write (4.6). The share is smaller after masked DPO: "
    "51 % beside 62 %.",
    "moved-written-direction": "in layer 27 the base's safety neurons write 90 of the 117 units that all neurons write "
    "after masked DPO, 129 of 161 after plain DPO (base: 47 of 64).",
}
"""What is seen, by the figure's name (:attr:`safeneuron.plots.figure.Figure.name`)."""


def worked(name: str) -> str | None:
    """Return the worked example of a figure, where it has one."""
    # The transfer between categories is a figure of its own for each layer.
    found = WORKED.get(name) or next((text for key, text in WORKED.items() if name.startswith(f"{key}-layer-")), None)
    return found and f"**On {DEFAULT_MODEL}, built-in prompts:** {found}"
