"""Training runs: a configuration in, a run directory out; `mho.train(config)`, or `mho train` in a shell."""

import sys
from types import ModuleType
from typing import Any

from mho.train.loop import Trainer
from mho.train.networks import make_network
from mho.train.run import Result, train

__all__ = ["Result", "Trainer", "make_network", "train"]


class _CallableRoom(ModuleType):
    """The room and its main function share the name `mho.train`: so the imported room can be called."""

    def __call__(self, *args: Any, **options: Any) -> Result:
        return train(*args, **options)


sys.modules[__name__].__class__ = _CallableRoom
