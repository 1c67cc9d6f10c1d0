"""Child processes that cannot outlive the work they were started for.

Libraries start daemons that their caller never sees: Ray its raylet, MLflow its job workers, Jupyter its kernels. They
run in sessions of their own, so ending a process group misses them, and once their parent is gone nobody finds them.
Three tools end them, from the widest to the narrowest:

* `supervised()` for a block: everything that this process started inside the block is ended when it closes.
* `run_group()` for one command: its whole tree is ended, even if this process is killed with SIGKILL meanwhile.
* `die_with_parent()` for one `Popen`: the kernel kills the child when its parent dies.

`UsageMeter` says what a block and all it started have used.
"""

from labsupport.processes.group import Completed, run_group
from labsupport.processes.supervision import Ended, Fate, Supervision, die_with_parent, supervised
from labsupport.processes.usage import UsageMeter

__all__ = [
    "Completed",
    "Ended",
    "Fate",
    "Supervision",
    "UsageMeter",
    "die_with_parent",
    "run_group",
    "supervised",
]
