"""This service beside what a user would pick instead, on one machine, in turns."""
