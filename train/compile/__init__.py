"""Compile a fitted model to a faster program, which is used only if it is proved to make the same predictions."""

from train.compile.compiling import Compilation, compile_model

__all__ = ["Compilation", "compile_model"]
