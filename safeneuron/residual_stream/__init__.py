"""A look inside one prompt: the residual stream of a model, layer by layer."""
