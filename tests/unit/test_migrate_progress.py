from io import StringIO

from foodlog.commands.migrate import ProgressBar


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_over_and_ended_once() -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    for done in range(4):
        bar("meals", done, 3)
    bar("meals", 3, 3)
    written = stream.getvalue()
    assert written.count("\r") == 4
    assert written.count("\n") == 1
    assert f"[{'#' * 30}] 100% 3/3\n" in written


def test_elsewhere_there_is_a_line_for_each_tenth() -> None:
    stream = StringIO()
    bar = ProgressBar(stream)
    for done in range(1001):
        bar("photos", done, 1000)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[5].endswith("50% 500/1000")


def test_nothing_to_do_is_done_and_more_than_was_counted_is_no_error() -> None:
    stream = StringIO()
    ProgressBar(stream)("users", 0, 0)
    ProgressBar(stream)("users", 5, 4)
    assert stream.getvalue().count("100%") == 2


def test_what_is_said_after_a_stop_begins_on_a_line_of_its_own() -> None:
    for stream, ended in ((Terminal(), "\n"), (StringIO(), "")):
        with ProgressBar(stream) as bar:
            bar("meals", 1, 10)
            before = stream.getvalue()
        assert stream.getvalue() == before + ended
        assert stream.getvalue().endswith("\n")


def test_a_line_that_is_full_is_ended_once() -> None:
    stream = Terminal()
    with ProgressBar(stream) as bar:
        bar("meals", 10, 10)
    assert stream.getvalue().count("\n") == 1
