"""Setting up and running the project on one machine."""
