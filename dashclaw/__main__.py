"""`python -m dashclaw`: the command line."""

from __future__ import annotations

import sys

from dashclaw.cli import main

sys.exit(main())
