#!/usr/bin/env python3
"""Shows that the rules can fail: small trees that break one rule each, and one that keeps them all."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# A tree that keeps the rules: every public header has a reader outside its room.
KEPT = {
    "docs/architecture.md": None,  # the table is written there first
    "include/seawall/core/error.hpp": "#pragma once\n",
    "include/seawall/store/run_file.hpp": '#pragma once\n#include "seawall/core/error.hpp"\n',
    "include/seawall/study/results.hpp": '#pragma once\n#include "seawall/store/run_file.hpp"\n',
    "src/store/seal.hpp": "#pragma once\n",
    "src/store/run_file.cpp": '#include "seawall/store/run_file.hpp"\n\n#include "store/seal.hpp"\n// not a std::cout\n'
                              'const char* text = "printf(x)";\n',
    "src/report/page.cpp": '#include "seawall/study/results.hpp"\n',
    "src/cli/print.cpp": '#include "seawall/core/error.hpp"\nvoid f() { std::printf("x"); }\n',
    "src/core/listener.cpp": "void g() { std::fputs(text, stderr); }\n",
    "tests/store/test_seal.cpp": '#include "store/seal.hpp"\n',
}


class Rules(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        for name, text in KEPT.items():
            self.write(name, text if text is not None else (ROOT / name).read_text())
        self.assertEqual(self.rule("includes", "--write-docs"), "rule includes: kept")

    def write(self, name: str, text: str) -> None:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def rule(self, name: str, *words: str) -> str:
        done = subprocess.run([sys.executable, HERE / "rules.py", name, "--root", self.tree, *words],
                              capture_output=True, text=True)
        text = done.stdout.strip()
        self.assertEqual(done.returncode, 0 if text.endswith(": kept") else 1, text + done.stderr)
        return text

    def breaks(self, rule: str, name: str, text: str, want: str) -> None:
        self.assertEqual(self.rule(rule).splitlines()[-1], f"rule {rule}: kept")
        self.write(name, text)
        self.assertIn(want, self.rule(rule))

    def test_a_room_keeps_to_the_table(self):
        self.breaks("includes", "src/core/x.cpp", '#include "seawall/store/run_file.hpp"\n',
                    "src/core/x.cpp: core may not include seawall/store/run_file.hpp")

    def test_two_types_of_one_name_are_found(self):
        one = "namespace seawall {\nnamespace {\nstruct Mine {\n};\n}  // namespace\nstruct %s {\n};\n}  // namespace seawall\n"
        self.write("src/store/seal.cpp", one % "Seal")
        self.breaks("names", "src/report/page.cpp", one % "Seal", "seawall::Seal: defined in src/report/page.cpp and src/store/seal.cpp")

    def test_a_header_room_gets_no_new_source(self):
        self.breaks("bodies", "src/policy/rows.cpp", "int x;\n", "src/policy/rows.cpp: policy is headers")

    def test_a_plug_in_with_a_folder_may_have_a_body(self):
        self.write("attacks/long_one/body.cpp", "int x;\n")
        self.breaks("bodies", "attacks/long_one.cpp", "int x;\n", "attacks/long_one.cpp: attacks is headers")

    def test_the_trainer_is_a_template_in_its_header(self):
        whole = "template <StackLike S>\nTrainResult train(Decoder& decoder, S& stack) {\n  return {};\n}\n"
        self.write("include/seawall/train/trainer.hpp", whole)
        self.breaks("bodies", "include/seawall/train/trainer.hpp", "TrainResult train(Decoder& decoder, AnyStack& stack);\n",
                    "include/seawall/train/trainer.hpp: want a template over the stack")

    def test_a_private_header_is_for_its_room(self):
        self.breaks("includes", "src/study/x.cpp", '#include "store/seal.hpp"\n',
                    "src/study/x.cpp: store/seal.hpp is private to store")

    def test_a_private_header_is_not_for_the_tests_of_another_room(self):
        self.breaks("includes", "tests/study/test_x.cpp", '#include "store/seal.hpp"\n',
                    "tests/study/test_x.cpp: store/seal.hpp is private to store")

    def test_a_public_header_includes_no_private_one(self):
        self.breaks("includes", "include/seawall/store/run_file.hpp", '#pragma once\n#include "store/seal.hpp"\n',
                    "a public header includes store/seal.hpp")

    def test_a_public_header_has_a_reader_outside_its_room(self):
        self.breaks("includes", "include/seawall/store/odd.hpp", "#pragma once\n",
                    "include/seawall/store/odd.hpp: only its own room includes it")

    def test_the_report_sees_files_only(self):
        self.breaks("includes", "src/report/x.cpp", '#include "seawall/run/run.hpp"\n',
                    "src/report/x.cpp: report may not include seawall/run/run.hpp")

    def test_the_report_sees_files_only_through_other_headers_too(self):
        self.write("include/seawall/run/run.hpp", "#pragma once\n")
        self.write("src/cli/run.cpp", '#include "seawall/run/run.hpp"\n')
        self.breaks("includes", "include/seawall/study/results.hpp", '#pragma once\n#include "seawall/run/run.hpp"\n',
                    "src/report/page.cpp: report sees files only, and through other headers it includes "
                    "include/seawall/run/run.hpp")

    def test_the_page_has_the_table(self):
        page = (self.tree / "docs/architecture.md").read_text()
        self.breaks("includes", "docs/architecture.md", page.replace("| `remote` | `core`, `policy` |", ""),
                    "docs/architecture.md: its table is not the rule's")

    def test_only_the_command_line_prints(self):
        for statement in ('std::cout << "x";', 'std::printf("%d", 1);', 'fprintf(stderr, "x");', 'std::puts("x");',
                          'fmt::print("x");', "std::fwrite(text, 1, 1, stdout);", 'std::cerr << "x";'):
            self.write("src/store/x.cpp", "")
            with self.subTest(statement):
                self.breaks("prints", "src/store/x.cpp", f"void f() {{ {statement} }}\n", "src/store/x.cpp:1: prints")

    def test_text_for_a_string_is_not_printed(self):
        self.write("src/store/x.cpp", 'void f() { std::snprintf(to, 9, "std::cout"); isatty(STDERR_FILENO); }\n')
        self.assertEqual(self.rule("prints"), "rule prints: kept")

    def test_only_the_table_names_a_model_family(self):
        self.write("src/model/families.cpp", 'Family llama{.type = "llama"}, gemma{.type = "gemma"};\n')
        self.write("src/text/x.cpp", 'bool is = shape == "gemma";\n')
        for code in ('if (config.gemma()) {}', 'if (type == "gemma") {}', "is_gemma = true;"):
            self.write("src/model/x.cpp", "// gemma may be spoken of\nllama();\n")
            with self.subTest(code):
                self.breaks("families", "src/model/x.cpp", code + "\n", "src/model/x.cpp:1: names the family gemma")

    def test_a_study_and_its_report_name_no_table_and_no_policy(self):
        self.write("attacks/x.hpp", 'name = "harmful-rows", summary = "x";\n')
        self.write("mitigations/y.hpp", 'std::string_view name = "sieve";\n')
        self.write("experiments/z.hpp", 'Table t{.name = "table1"}; t.add("initial", arm); t.add({.cell = "100-shot"}, arm);\n')
        for code, name in (('if (cell == "initial") {}', "initial"), ('number_of(run, "sieve")', "sieve"),
                           ('f("see table1 for it")', "table1"), ('f("harmful-rows_caught")', "harmful-rows"),
                           ('name == "100-shot"', "100-shot")):
            self.write("src/report/x.cpp", '// table1 and "initial" may be spoken of\nf("the initial model, a sieve");\n')
            with self.subTest(code):
                self.breaks("studies", "src/report/x.cpp", code + "\n", f"src/report/x.cpp:1: names `{name}`")


if __name__ == "__main__":
    unittest.main()
