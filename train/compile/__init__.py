"""From a fitted model to a quicker program, admitted only if it is proved to give the same answers."""

from train.compile.compiling import Compilation, compile_model

__all__ = ["Compilation", "compile_model"]
