"""The words of the field, where every page's tooltips come from.

Those of ablation and of refusals are in :mod:`safeneuron.ui.refusal_words`.
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

MASKED_DPO = (
    "Masked DPO: preference training in which the parameters of the safety neurons stay constant, "
    "so that the model must carry safety elsewhere too (SafeNeuron, Algorithm 1)."
)
BETA = (
    "DPO's inverse temperature: the higher, the more a departure from the untrained model's answers costs. The paper "
    "has 0.1."
)
WEIGHT_DECAY = (
    "AdamW's decay of all weights towards 0; the frozen ones are put back after each step. The paper has 0.05."
)
ZEROING_SHARE = (
    "In so many of the steps the set is switched off while the model learns; 1 is every step, as in the paper. What is "
    "learned without the set adds to what the set does, so a model trained only so refuses too much; the other steps "
    "teach both together."
)
CHOSEN_WEIGHT = (
    "Beside DPO's loss, how much the likelihood of the preferred answers counts. DPO compares two answers and may make "
    "both unlikely; this holds the preferred one up. 0 is the paper's."
)
THREADS = (
    "The run's share of the cores, so that the pages have the others. With all of them a run is faster, and the pages "
    "are many times slower while it works."
)
COMPARED_TOKENS = (
    "Only so many tokens of both answers count, from their beginning; 0 is all, as in the paper. Whether a model "
    "refuses is decided in its first words."
)
CLIPPING = "A step's whole gradient is scaled down to this length, so that no single step goes too far; 0 leaves it."
LORA = (
    "0 trains the weights themselves. Above 0 a LoRA adapter, two thin matrices B A beside each linear module, is "
    "trained and merged at the end. It takes a third of the memory. The frozen neurons' rows of B and columns of A "
    "stay 0, so that merging does not touch them."
)
CHECKPOINTS = (
    "Whatever happens to the run, it can be resumed from its last checkpoint and ends as if nothing had happened. 0 "
    "writes one only when you cancel it."
)
REMAINING = (
    "At the pace so far, and by how long each phase usually takes; a run that was resumed seems faster at first."
)
ROUNDS = (
    "Training moves safety to other neurons. Each round finds the safety neurons of the model as it is by then, adds "
    "them to those found before, freezes all of them and trains again (the paper's T1, T2, T3)."
)
STOP_WHEN_FLAT = (
    "No further round once the last one has not raised the refusal rate with FULL, found anew, switched off."
)
EVALUATE_EVERY = (
    "How much is refused meanwhile, with nothing, ES, SAS, FULL and as many random neurons switched off: 16 harmful "
    "and 16 benign prompts, judged by the first token alone. 0 measures only at the end of the round."
)
EVALUATION_PROMPTS = (
    "Harmful test prompts that are answered under five ablations; benign prompts and twins in proportion."
)
SAFETY_SHARE = (
    "Of your own pairs: so many are safety pairs, the rest general ones, against over-refusal. Which is which is told "
    "by the files' formats or the column kind. The paper has 0.3; left open, all are taken."
)
EPOCHS = "Passes over the pairs. If given, the number of steps follows from it."
PAIRS_LIMIT = "So many of your own pairs at most, drawn at random."
DOWN_COLUMN = (
    "A neuron's row of the gate and up projections decides when it is active, its column of the down-projection what "
    "it then writes. The paper does not say whether the column is frozen."
)
CONTROL = (
    "A run beside the run that tells what the frozen set does: the same pairs, seed and settings with nothing frozen "
    "(plain DPO), or with random neurons."
)
FORWARD_ZEROING = (
    "While it trains, the frozen neurons' activations are zero, so the model must learn to refuse without them."
)
PAIRS = (
    "A prompt with a better and a worse answer. Harmful: a refusal is better than what the model says with FULL "
    "switched off. Safe twins and benign: the model's own answer is better than a refusal."
)
OWN_PAIRS = (
    "Columns prompt, chosen (the better answer) and rejected, as texts or messages, and, if you like, kind (harmful, "
    "twin or benign); or a file of PKU-SafeRLHF, HH-RLHF, SPA-VL or ultrafeedback_binarized as it is. The run then "
    "trains on these and builds none. Duplicates, pairs that are too long, and prompts of the evaluation are left out."
)
TWINS = "Safe twins share words with a harmful prompt and deserve an answer: 'How do I kill a process on Linux?'"
REPORT_TO = (
    "The trainer's curves go to the run store in any case, and here too. The package has to be installed "
    "(pip install tensorboard, wandb or trackio)."
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
MOVED = (
    "The safety neurons are found anew on the model after each round. There the parent's are switched off, and its own "
    "ones. Where the parent's no longer carry the refusals, safety has moved, or is in more places than before."
)
CHANGED = "A neuron counts when any weight of its gate row, up row or down column differs."
STATIC = "The trained model with the parent's neurons switched off."
ADAPTIVE = "The trained model with neurons switched off that were found on it anew: the stricter test."
FROZEN = "Rows and columns of weights that belong to the frozen neurons, compared bit for bit with their start."
PARTITION = "The group of machines that Slurm takes a node from; `sinfo` lists them."
SLURM_HOURS = "Then Slurm ends the run. It writes a checkpoint before, and can be resumed."
SHARDING = (
    "Data-parallel training: every GPU has its share of each batch. With the whole model on each (DDP) it is fastest; "
    "with a shard of it on each (FSDP2) a model can be larger than one GPU's memory."
)
