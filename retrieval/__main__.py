"""`python -m retrieval` is the command `retrieval`."""

import sys

from retrieval.cli import main

sys.exit(main())
