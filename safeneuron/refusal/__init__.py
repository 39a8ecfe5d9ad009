"""Did the model refuse: by its first-token log-odds, by its text, and as a rate with an interval."""
