"""What is wrong with a configuration, gathered so that everything is reported at once."""

from __future__ import annotations

from mho.errors import SettingsError


class Problems:
    """A list of what is wrong, each with the dotted path of the setting."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, path: str, text: str) -> None:
        """Note that the setting at `path` is wrong."""
        self.found.append((path, text))

    def take(self, path: str, error: Exception) -> None:
        """Note what an error says about the setting at `path`, keeping the paths of a SettingsError."""
        if isinstance(error, SettingsError):
            self.found += [(join(path, inner), text) for inner, text in error.problems]
        else:
            self.add(path, str(error))

    def check(self, source: str = "") -> None:
        """Raise SettingsError with everything found, if anything was."""
        if self.found:
            raise SettingsError(self.found, source)


def join(path: str, name: str) -> str:
    """Return a dotted path; a name with dots in it, as of a layer pattern, is quoted."""
    return f"{path}.{name}" if path and name else path or name


def quoted(name: str) -> str:
    """Return a name as it stands in a path: in quotes where it has dots or spaces."""
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
