"""Where a model comes from, where its MLP neurons are, and whether its numbers can be trusted."""
