"""The `curate` command: a thin way to say recipes."""

from __future__ import annotations

import os
import sys

import typer

from curation.cli import comparing, connecting, deciding, judging, keeping, replying, running, trying, viewing
from curation.cli.show import err
from curation.core.errors import CurationError, machine_problem

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="See, score, select and export the rows to fine-tune on.\n\n"
    "A newcomer's way:  curate app my.json   or without a browser:  curate add my.json, "
    "curate select modn --budget 1000, curate export --format alpaca --output subset.json",
)

# in the order of the help
app.command("app")(running.app_command)
app.command()(running.demo)
app.command()(keeping.add)
app.command("run")(running.run_command)
app.command("methods")(keeping.methods_command)
app.add_typer(connecting.app, name="connections")
app.command()(running.select)
app.command()(running.score)
app.command()(running.coverage)
app.command("judge-report")(judging.judge_report_command)
app.command()(comparing.compare)
app.command()(trying.trial)
app.command("view")(viewing.view_command)
app.add_typer(deciding.app, name="decisions")
app.command()(keeping.export)
app.command("jobs")(keeping.jobs_command)
app.add_typer(replying.app, name="replies")
app.command()(keeping.prune)


def main() -> None:
    """Entry of the command: user errors are two lines and exit code 2, anything else is a traceback."""
    try:
        app()
    except CurationError as error:
        _tell(error)
    except BrokenPipeError:
        # the reader of our output went away; nothing to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, MemoryError) as error:
        problem = machine_problem(error)
        if problem is None:
            raise
        _tell(problem)


def _tell(error: CurationError) -> None:
    err.print(f"error: {' '.join(error.message.split())}")
    if error.hint:
        err.print(f"hint: {' '.join(error.hint.split())}")
    sys.exit(2)
