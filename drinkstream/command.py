"""How a program's command ends: its exit code, and on standard error what to do about a failure."""

import click

from drinkstream.errors import DrinkStreamError


def exit_code(command: click.Command, argv: list[str] | None, name: str | None = None) -> int:
    """Runs a command with these arguments (None: the process's own) and returns its exit code.

    The message of an error of ours, or of arguments that make no sense, goes to standard error; it begins with `name`,
    or with the kind of the error where there is none. Any other exception is raised.
    """
    try:
        command.main(argv, prog_name=name, standalone_mode=False)
    except DrinkStreamError as error:
        click.echo(f"{name or type(error).__name__}: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return 0
