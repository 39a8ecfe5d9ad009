"""Background jobs: what is known of each run, the process that does the work, and its progress."""
