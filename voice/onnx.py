"""Networks in ONNX files, run on few cores. The only importer of onnxruntime; knows nothing of what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def session(model: Path, *, threads: int = 1) -> Any:
    """An ``onnxruntime.InferenceSession``. Its threads sleep when they wait: by default they would spin, on cores that
    other calls need."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
