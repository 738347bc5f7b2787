#!/usr/bin/env python3
"""Compiles src/device/kernels.cu for every architecture as a GPU's driver would, with no GPU: no register may spill, nothing may
live in local memory, and what eight values wide moves must move 16 bytes at a time."""

import ctypes
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# A100, H100, B200, and the cards of desks. The a-forms have what only that one knows.
ARCHITECTURES = ("sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120")
KERNELS = 10 + 3 * 2 + 2 * 5
MOST_REGISTERS = 128  # of 256 threads: two blocks a processor


def text(path, seen):
    """A file with our includes in their places."""
    def included(match):
        name = match.group(1)
        if name in seen:
            return ""
        seen.add(name)
        public = ROOT / "include" / name
        return text(public if public.is_file() else ROOT / "src" / name, seen)
    return re.sub(r'#include "([^"]+)"', included, path.read_text().replace("#pragma once", ""))


class Nvrtc:
    def __init__(self, folder):
        library = sorted(pathlib.Path(folder).rglob("libnvrtc.so.1*"))
        if not library:
            raise SystemExit(f"{folder}: no libnvrtc.so; run cmake/setup nvrtc")
        self.rtc = ctypes.CDLL(str(library[0]))

    def string(self, name, program):
        size = ctypes.c_size_t()
        assert getattr(self.rtc, f"nvrtcGet{name}Size")(program, ctypes.byref(size)) == 0
        out = ctypes.create_string_buffer(size.value)
        assert getattr(self.rtc, f"nvrtcGet{name}")(program, out) == 0
        return out.value.decode()

    def compile(self, source, architecture):
        """The log, and the PTX where the architecture is a virtual one."""
        program = ctypes.c_void_p()
        assert self.rtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
        options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++20", b"--ptxas-options=-v"]
        code = self.rtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = self.string("ProgramLog", program)
        if code != 0:
            raise AssertionError(f"{architecture}: {log}")
        return log, self.string("PTX", program) if architecture.startswith("compute") else ""


class Kernels(unittest.TestCase):
    nvrtc: Nvrtc
    source: str

    def test_no_register_spills(self):
        for architecture in ARCHITECTURES:
            with self.subTest(architecture):
                log, _ = self.nvrtc.compile(self.source, architecture)
                frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", log)
                self.assertEqual(len(frames), KERNELS, log)
                self.assertEqual(set(frames), {("0", "0", "0")}, log)
                registers = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
                self.assertLessEqual(max(registers), MOST_REGISTERS)

    def test_sixteen_bytes_at_a_time(self):
        _, ptx = self.nvrtc.compile(self.source, "compute_80")
        bodies = dict(re.findall(r"\.entry (\w+)\((.*?)\n}", ptx, re.S))
        self.assertEqual(len(bodies), KERNELS)
        for name, body in bodies.items():
            if name.endswith("_one"):
                continue
            with self.subTest(name):
                self.assertRegex(body, r"ld\.global(\.nc)?\.v4")
                self.assertRegex(body, r"st\.global\.v4")
                self.assertNotRegex(body, r"\.local\b")
                # What else is read are scalars: a guard, 1/rms, a log-sum-exp.
                narrow = re.findall(r"ld\.global(?:\.nc)?\.([a-z]\w+)", body)
                self.assertEqual({kind for kind in narrow if kind not in ("f32", "v4")}, set(), body)


if __name__ == "__main__":
    Kernels.nvrtc = Nvrtc(sys.argv.pop(1))
    Kernels.source = text(ROOT / "src" / "device" / "kernels.cu", set())
    unittest.main()
