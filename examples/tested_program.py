# SPDX-License-Identifier: MIT
"""What the tests of the programs for one model share."""
import array
import subprocess
import sys


class Program:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments):
        return subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True)

    def refuses(self, words, *arguments):
        """The program ends with status 1 and says these words."""
        done = self.run(*arguments)
        if done.returncode != 1 or words not in done.stderr:
            sys.exit(f"{self.path} {arguments}: exit status {done.returncode}, and not {words!r} but {done.stderr!r}")


def write_ids(path, numbers):
    path.write_bytes(array.array("i", numbers).tobytes())
