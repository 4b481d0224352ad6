"""Labelled questions and what is measured with them. Tuning sees the development split only."""
