"""Triton's interpreter, in a process of its own; faster, and with bfloat16 as GPUs have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np


def interpreted(script, *arguments, timeout=600):
    """Return what a script, given by its path from this folder, prints when Triton interprets; fail where it fails.

    In a process of its own: TRITON_INTERPRET is read when Triton is imported.
    """
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def hasten():
    """Let the interpreter prepare its language once a launch, not at every call of a function within a kernel."""
    from triton import language
    from triton.runtime import interpreter

    original = getattr(interpreter, "_patch_lang", None)
    if original is None:  # another version of Triton: slower, not wrong
        return
    prepared: dict[object, bool] = {}

    def prepare(function):
        modules = [v for v in function.__globals__.values() if v is language or v is language.core]
        key = tuple(map(id, modules))
        if prepared and key in prepared:
            return interpreter._LangPatchScope()
        first, prepared[key] = not prepared, True
        scope = original(function)
        if first:
            end = scope.restore
            scope.restore = lambda: (prepared.clear(), end())
        return scope

    interpreter._patch_lang = prepare


def mend():
    """Let the interpreter round to the nearest bfloat16, as GPUs do, and multiply matrices of it; it has neither."""
    import torch
    from triton import language
    from triton.runtime import interpreter

    convert, dot = interpreter._convert_float, interpreter.InterpreterBuilder.create_dot

    def rounded(values, given, wanted, mode):
        if (given, wanted) != (language.float32, language.bfloat16):
            return convert(values, given, wanted, mode)
        numbers = torch.from_numpy(np.array(values, dtype=np.float32))
        return numbers.bfloat16().view(torch.uint16).numpy().reshape(values.shape)

    def widened(handle):
        if handle.dtype.scalar != language.bfloat16:
            return handle
        bits = np.asarray(handle.data).astype(np.uint32) << 16
        return interpreter.TensorHandle(bits.view(np.float32), language.float32)

    interpreter._convert_float = rounded
    interpreter.InterpreterBuilder.create_dot = lambda self, a, b, *rest: dot(self, widened(a), widened(b), *rest)
