"""What the operator reads."""

from __future__ import annotations

import logging

from appliance import log
from appliance.message import ConversationId, Message, MessageId


def test_one_event_is_one_line_with_its_request(capsys):
    log.set_up("info")
    name = log.new_request()
    logging.getLogger("appliance.knowledge").info("learnt document=%s", "a\nb\x1b[31m.md")
    log.request.set("")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(f"Z info appliance.knowledge request={name} learnt document=a\\nb\\x1b[31m.md")


def test_less_important_lines_are_left_out(capsys):
    log.set_up("warning")
    logging.getLogger("appliance").info("not written")
    logging.getLogger("appliance").warning("written")
    assert capsys.readouterr().err.splitlines()[0].endswith("warning appliance written")


def test_libraries_that_may_repeat_what_was_sent_stay_quiet_even_at_debug(capsys):
    log.set_up("debug")
    for name in log.CHATTY:
        logging.getLogger(name).info("a patient's words")
    assert capsys.readouterr().err == ""


def test_a_message_written_by_mistake_shows_no_words(capsys):
    log.set_up("debug")
    said = Message(id=MessageId("m"), conversation=ConversationId("c"), channel="web", text="my chest hurts")
    logging.getLogger("appliance").debug("heard %r %s", said, said)
    assert "chest" not in capsys.readouterr().err


def test_a_trace_tells_kinds_and_places_and_no_text(capsys):
    log.set_up("debug")
    said = "my chest hurts"
    try:
        try:
            raise UnicodeEncodeError("ascii", said, 0, 1, said)
        except UnicodeEncodeError as error:
            raise ValueError(said) from error
    except ValueError:
        logging.getLogger("voice.mouth").exception("voice failed")
    written = capsys.readouterr().err
    assert "ValueError" in written and "UnicodeEncodeError" in written and "test_log.py" in written
    assert "hurts" not in written
