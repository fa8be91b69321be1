"""The way of a text to the workers and back: dispatcher, publisher, fleet, reply reader."""
