"""The model that workers of tests say they serve."""

from shared.messages import ModelInfo

ECHO_MODEL = ModelInfo(
    name="echo",
    revision="1",
    problem_type="multi_label_classification",
    labels=["curse", "clean"],
    clean_label="clean",
    strictness="standard",
    thresholds={},
    levels={},
    max_length=64,
)
