"""What pages share: models kept in memory, the sidebar, figures, long work, the run monitor."""
