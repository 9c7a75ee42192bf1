"""One model trained by several processes: `mho.distribute` in a loop of one's own, or `torchrun -m mho train`."""

from mho.distributed.agreement import agree, check
from mho.distributed.joining import join, leave
from mho.distributed.model import distribute, gather_in

__all__ = ["agree", "check", "distribute", "gather_in", "join", "leave"]
