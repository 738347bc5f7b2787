#!/usr/bin/env python3
"""Shows that lint stops where a tracked source or header would be read by nobody."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "cmake"))
import lint  # noqa: E402


class Sources(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name).resolve()
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        self.addCleanup(setattr, lint, "ROOT", lint.ROOT)
        lint.ROOT = self.tree
        self.write("include/seawall/core/error.hpp", "#pragma once\n")
        self.write("src/core/file.hpp", '#pragma once\n#include "seawall/core/error.hpp"\n')
        self.write("src/core/file.cpp", '#include "core/file.hpp"\n')
        self.write("tests/core/test_file.cpp", "")

    def write(self, name: str, text: str) -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        subprocess.run(["git", "add", name], cwd=self.tree, check=True)

    def test_every_source_of_the_library_is_read(self):
        self.assertEqual(lint.sources(), {self.tree / "src/core/file.cpp"})

    def test_a_source_in_a_folder_that_lint_does_not_know(self):
        self.write("tools/x.cpp", "")
        with self.assertRaisesRegex(SystemExit, "read by nobody: tools/x.cpp"):
            lint.sources()

    def test_a_source_among_the_headers(self):
        self.write("include/seawall/core/x.cpp", "")
        with self.assertRaisesRegex(SystemExit, "read by nobody: include/seawall/core/x.cpp"):
            lint.sources()

    def test_a_header_that_no_source_includes(self):
        self.write("include/seawall/core/x.hpp", "#pragma once\n")
        with self.assertRaisesRegex(SystemExit, "read by nobody: include/seawall/core/x.hpp"):
            lint.sources()


if __name__ == "__main__":
    unittest.main()
