"""Makes pydantic build each model on first use. Import this before FastAPI.

By default pydantic builds a model's validator when the class is defined. FastAPI's OpenAPI models and ours are rarely
used for anything but the OpenAPI, and building them took a tenth of the API's start.
"""

import sys

from pydantic import BaseModel

# What every model inherits.
BaseModel.model_config["defer_build"] = True

# FastAPI imports Pydantic 1 only to refuse its models, and skips that if the import fails. None in sys.modules makes
# Python raise ImportError.
sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
