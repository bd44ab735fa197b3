"""A group of commands that suggests the right name for a mistyped one."""

from __future__ import annotations

import click


class NamedCommands(click.Group):
    """A group of commands. Its error about an unknown command suggests the command with the most similar name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names. Raises MisuseError for an unknown name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            from logger.commands.ui.options import MisuseError

            near = get_close_matches(name.lower(), self.list_commands(ctx), n=1, cutoff=0.6)
            hint = " ".join([ctx.command_path, *(near or ["--help"])])
            raise MisuseError(f"there is no command {name!r} in {ctx.command_path}", hint)
        return super().resolve_command(ctx, args)
