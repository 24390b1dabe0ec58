"""A service that is killed in the middle of hand-overs loses no message, doubles no word, and delivers every letter in the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HANDING_OVER = Path(__file__).with_name("handing_over.py")


def test_fifteen_kills_lose_nothing_double_nothing_and_leave_no_message_unowned(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a command of this file
        [sys.executable, HANDING_OVER, tmp_path, "15"], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["acknowledged"] >= 45 and result["cases"] > 5 and result["letters"] > 50, result
    assert (result["wrong"], result["undelivered"]) == ([], [])
