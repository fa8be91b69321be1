"""How good a bundle is: scores, robustness, speed, and the report and cards that say so."""
