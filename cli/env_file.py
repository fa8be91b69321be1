"""The file `.env` of the working folder, which docker compose reads too: settings for whoever does not export them."""

from pathlib import Path

from dotenv import load_dotenv

from shared.errors import SettingsError

ENV_FILE = Path(".env")


def load_env_file(path: Path) -> None:
    """Put the file's variables into this process's environment, where the environment itself does not have them.

    Raises:
        SettingsError: there is such a file, and it cannot be read.
    """
    try:
        # Notepad puts a byte order mark before the first name.
        load_dotenv(path, override=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
