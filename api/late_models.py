"""Has pydantic build its models when they are used first; to be imported before FastAPI.

Of each model pydantic builds what validates when the class is made. For FastAPI's models of an OpenAPI, and for ours,
which hardly anything but the OpenAPI is made of, that took a tenth of the API's start.
"""

import sys

from pydantic import BaseModel

# What every model inherits.
BaseModel.model_config["defer_build"] = True

# FastAPI loads Pydantic 1 to refuse its models, and takes it that there are none where it is not installed. None is how
# Python marks a module that cannot be imported.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
