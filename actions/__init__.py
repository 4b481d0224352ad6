"""The Rasa action server: thin actions that ask `knowledge` and return a Decision."""
