"""What a text costs, before anybody has tokenised it: what API and worker count load and speed in."""

# What a short text costs beyond its characters: special tokens, padding, its share of the work around the model.
BASE_COST = 8
# Costs per token until a worker has told its own: Korean comments have some 1.7 characters per token.
COST_PER_TOKEN = 2.0


def cost_of(text: str) -> int:
    """The cost of one text, whatever its model: its characters, and `BASE_COST`.

    Counting tokens would need the model's tokenizer. A worker reports its speed in the same unit, so what a token costs
    matters only where texts of one service differ in it.
    """
    return len(text) + BASE_COST
