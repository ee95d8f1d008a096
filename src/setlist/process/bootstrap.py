"""How a process in any Python is handed setlist's own modules, and nothing else that lies beside them."""

from __future__ import annotations

import os

_PROGRAM = """\
import gc, sys
gc.disable()
sys.path[:] = [entry for entry in sys.path if entry]
import importlib, importlib.util
if "setlist" not in sys.modules:
    spec = importlib.util.spec_from_file_location("setlist", {init!r}, submodule_search_locations=[{package!r}])
    sys.modules["setlist"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["setlist"])
try:
    importlib.import_module({module!r}).main()
except KeyboardInterrupt:
    sys.exit(130)
"""


def program(module: str) -> str:
    """Text for ``python -c`` that calls ``main()`` of one of setlist's modules.

    Garbage isn't collected while it imports what it needs: there is next to none, and looking for it takes its time.
    Who goes on to run anything has to turn that on.

    The Python may be one that setlist isn't installed in. Only the package itself becomes importable: what is
    installed beside it could stand in for what the program asked for. The directory that it is started in isn't
    looked through either. An interrupt before the module listens to signals is the host's to tell.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return _PROGRAM.format(init=os.path.join(package, "__init__.py"), package=package, module=module)
