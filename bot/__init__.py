"""The Rasa project: what we add to Rasa, and the data it is trained from. Runs in an environment of its own."""
