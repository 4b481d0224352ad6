"""The web server: the only process that faces the internet. Screens, stores, asks the dialogue, answers."""
