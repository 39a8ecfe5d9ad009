"""The words of the field, where every page's tooltips come from.

Those of refusals, of the Overlap page and of training are in :mod:`refusal_words`, :mod:`overlap_words` and
:mod:`training_words` beside it.
"""

NEURON = (
    "Neuron (layer, j): coordinate j of what goes into a layer's MLP down-projection, "
    "that is act(gate) × up. TransformerLens calls it blocks.{layer}.mlp.hook_post."
)
NEURON_SET = "A named set of neurons of one model, with where it came from."
COMBINED = (
    "∪ is the union, what is in either set; ∩ the intersection, what is in both; ∖ the difference, what is in A and "
    "not in B; △ the symmetric difference, what is in one of them only."
)
MATCHED = (
    "The control of an ablation: as many random neurons in each layer as the set has, none of them its own. Another "
    "seed draws others."
)
EXPRESSION = (
    "Names (FULL, or a kept one, in quotation marks where it has spaces) and neurons (15:766,15:801), with | in "
    "either, & in both, - in the first only, ^ in one of them only, and brackets; top(50, ES, not in SAS); "
    "top(0.5%, ES) of the model's neurons; FULL & layers(10, 20); random(FULL, 3). The same text that --set takes."
)
KEEP = (
    "Keeps the neurons as they are now, with the model's fingerprint and where they came from; thresholds that are "
    "moved later change nothing. Every page and --set on the command line know the name."
)
FOREIGN = (
    "Neurons are places in the weights: the same place does something else in another model. Only for a model of the "
    "same shape, and the set's origin will say so."
)
ES = (
    "ES, effect size: how far a neuron's mean activation on harmful prompts lies above its mean on benign ones, "
    "in pooled standard deviations (Cohen's d)."
)
SAS = (
    "SAS, safety activation shift: mean activation on harmful minus on benign prompts, "
    "compared with the other neurons of the same layer (z-score)."
)
FULL = "FULL, the safety neurons: those of ES and those of SAS together."
RANDOM = "RANDOM, the control: as many random neurons in each layer as FULL has, none of them a safety neuron."
ORI = "ORI: the model as it is, nothing switched off."
OWN = "The set that you made by clicking."
KEPT = "A set that was kept under a name, or is written as an expression of others; see Neuron sets, Neurons page."
SETS = {"ES": ES, "SAS": SAS, "FULL": FULL, "RANDOM": RANDOM, "ORI": ORI, "own set": OWN}
THRESHOLD = (
    "Neurons whose score is above the threshold τ are in the set. A threshold is a choice, not a significance level."
)
POOLING = (
    "Where in the prompt an activation is read: at the last token, where the answer is about to begin; its maximum "
    "over all tokens; or its mean."
)
SCORED_PROMPTS = (
    "Which harmful and benign prompts the score compares. Safe twins share their words with the harmful prompts, so "
    "a neuron that still differs answers to the harm, not to the topic."
)
Q_VALUE = (
    "q-value: among all neurons with q below 0.05, at most 5 % are expected to differ by chance alone. It comes from "
    "handing the labels harmful and benign out at random many times. It says nothing of the size of the difference: "
    "with many prompts a tiny one is significant."
)
SPEARMAN = (
    "Spearman's rank correlation: 1 where two scores put the neurons in the same order, 0 where one says nothing of "
    "the other, -1 where the orders are opposite."
)
JACCARD = "Jaccard index: of the neurons in either score's top, the share that is in both."
OWN_PROMPTS = (
    "Two files with your harmful and your benign prompts: JSONL, JSON, CSV or TXT, in a column prompt, instruction, "
    "goal, behavior, question or text. They stay in the workspace. Each prompt counts once; one in both classes is "
    "left out of both."
)
OWN_CATEGORIES = (
    "The Overlap page compares the categories of harm that your file names. A category needs eight prompts."
)
FOUND_WITH = (
    "The sets ES, SAS and FULL, their counts and layers, and in the table the other scores and the means stay those of "
    "the built-in prompts, read at the last token, with which the safety neurons are found."
)
SECOND_RESULT = (
    "Another score, other prompts, another place to read the activations, or the model compared with: beside the first "
    "result, or subtracted from it. Two scores have no common unit: of them, ranks are subtracted."
)
CLUSTER = (
    "A neuron's index has no meaning, so each layer may be ordered by the score instead, or so that neurons that are "
    "active on the same prompts stand side by side."
)
ABLATION = (
    "Ablation: the chosen neurons' activations are multiplied by 0 at every position, in memory only. "
    "Nothing is written to the model's weights."
)
RESIDUAL_STREAM = (
    "The residual stream is what the layers hand on to each other: each reads it and adds to it. The logit lens reads "
    "the next token from it behind any layer, as the model itself does behind the last; direct logit attribution says "
    "how much each layer's attention and MLP added to a token's score (its logit). TransformerLens calls the stream "
    "blocks.{layer}.hook_resid_post."
)
CARD = (
    "All about one neuron: when it is active, what it writes, which neurons are like it, and what goes when it alone "
    "is switched off. Open one by its layer and index, from a link, or from the map."
)
RANK = "1 is the neuron with the highest score of all. Previous and next go up and down these ranks."
REFUSAL_DIRECTION = (
    "Cosine of what the neuron writes with the refusal direction of its layer: the mean residual stream on harmful "
    "prompts minus that on benign ones (Arditi et al.). +1: its activation pushes the model towards how it treats "
    "harmful prompts; −1: away; 0: neither."
)
OFF_ALONE = (
    "Change of the log-odds that the answer opens as a refusal when this neuron alone is switched off: the mean over "
    "the refusal meter's harmful prompts with its 95 % interval. Below 0: the neuron was for refusing. One of many "
    "neurons that do the same seldom changes much alone."
)
PERPLEXITY = (
    "How unexpected the model finds its own benign answers with this neuron switched off, as a multiple of without. "
    "1 means that nothing is lost; 1.02 is 2 % less fluent."
)
PROMOTES = (
    "Tokens that the neuron's output weight makes likelier, and less likely, when it is active: the weight through the "
    "final norm's gain and the unembedding (logit lens). A first-order reading: all later layers are passed over, so "
    "it says more of late neurons than of early ones. If the activation is below zero, the two lists change places."
)
TOGETHER = (
    "Correlation (Pearson's r) of the activations over all harmful and benign prompts. Neurons that tell the two "
    "classes apart correlate by that alone."
)
ALIKE = "Cosine of the output weights: 1 means that both write in the same direction."
TOKENS = (
    "Red: the neuron's activation at that token is above zero. Blue: below. The stronger the colour, the farther from "
    "zero (by the square root, see the scale); hover a token for the number. Boxed tokens are the chat format's own."
)


RUN = "A background job with its settings, events and results. It goes on when you close this page."
SELF_CHECK = (
    "Three ways of switching neurons off must give the same numbers: a hook, zeroed weight columns, "
    "and TransformerLens' bridge, where it can compute the model; padded on either side or not; and the chat "
    "template must be applied once."
)
FIT = (
    "What each kind of work takes at its height, on top of what this server uses now: weights, activations, kept keys "
    "and values, and for training gradients and the optimiser's moments. Reckoned from the model's config before "
    "anything is read."
)
MODEL = (
    "An embedded model, a finished run (run:…), the path of a folder or of a GGUF file, a repository on the hub "
    "(org/name), or an adapter on any of them (BASE::ADAPTER): the same text that --model takes. Type or paste it and "
    "press Enter. With #NAME at its end the model is spoken to in a chat format that you saved on the Model page."
)
CHAT = (
    "The chat template turns a prompt, and a system prompt if there is one, into the one text that the model reads. "
    "Another wording is another model to every number here: each has a fingerprint of its own."
)
COMPARE = (
    "Another model of the same shape. Model shows both side by side, Neurons the difference of their scores, Ablation "
    "both refusal meters, Training both runs' curves, Robustness both models' bars."
)
