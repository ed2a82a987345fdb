"""Write the vectors into a folder, the only argument."""

import argparse
from pathlib import Path

from .files import write

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
