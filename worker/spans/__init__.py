"""Which words made a verdict: where they are in the text as sent, and a copy of the text in which they are hidden."""
