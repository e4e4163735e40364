"""Plants a fault in every process that is started with this folder on its path; see `planting_in`.

Python imports a module of this name at its start: so the gateway's workers have the fault, too.
"""

import os

from tests.attack.fuzz.faults import FAULTS

FAULTS[os.environ["ATTACK_FAULT"]].plant()
