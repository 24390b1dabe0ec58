"""All that knows what a patient is."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

UI = Path(__file__).resolve().parents[1] / "ui"
"""The pages, beside the package in a clone and in an installed wheel alike."""
