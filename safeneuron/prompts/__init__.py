"""Prompt sets: the built-in ones, those in the person's files, and preference pairs."""
