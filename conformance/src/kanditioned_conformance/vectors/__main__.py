"""Write the vectors into a folder, the only argument."""

import sys
from pathlib import Path

from .files import write

if __name__ == "__main__":
    write(Path(sys.argv[1]))
