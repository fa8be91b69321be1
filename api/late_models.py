"""Has pydantic build its models when they are used first; to be imported before FastAPI.

Of each model pydantic builds what validates when the class is made. For FastAPI's models of an OpenAPI, and for ours,
which hardly anything but the OpenAPI is made of, that took a tenth of the API's start.
"""

from pydantic import BaseModel

# What every model inherits.
BaseModel.model_config["defer_build"] = True
