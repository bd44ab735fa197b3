"""Write the boards, the alert rules and docs/dashboards.md. `--check` only prints the paths of differing files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from grafana.alerts.files import write_rules
from grafana.boards import BOARDS
from grafana.documents import write_document
from grafana.query.asked import Dialect
from grafana.render import render
from grafana.texts import Words, languages

_ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = _ROOT / "grafana" / "dashboards"
_PROVISIONING: Final = _ROOT / "grafana" / "provisioning"
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


def make_files(words: Sequence[Words]) -> Iterator[tuple[Path, str]]:
    """Return the path and the text of each generated file, in the languages of `words`."""
    for dialect in DIALECTS:
        for say in words:
            language = say.language
            for board in BOARDS:
                yield FOLDER / dialect / language / f"{board.uid}.json", render(board, BOARDS, dialect, say)
            yield _PROVISIONING / dialect / "alerting" / language / "envoy.yaml", write_rules(dialect, say)
    docs = _ROOT / "docs"
    yield docs / "dashboards.md", write_document(BOARDS, docs / "pictures")


def main() -> int:
    """Write each file that differs, and print its path. Print each text that has no translation."""
    words = [Words(language) for language in languages()]
    files = dict(make_files(words))
    stale = [(file, text) for file, text in files.items() if not file.exists() or file.read_text("utf-8") != text]
    made = [*FOLDER.rglob("*.json"), *_PROVISIONING.rglob("alerting/*/*.yaml")]
    gone = [file for file in made if file not in files]
    for file in [*(file for file, _ in stale), *gone]:
        sys.stdout.write(f"{file.relative_to(_ROOT)}\n")
    for say in words:
        for text in sorted(say.missing):
            sys.stderr.write(f"not translated: {text}\nTry: add it to grafana/languages/{say.language}.toml\n")
    if "--check" in sys.argv[1:]:
        return 1 if stale or gone else 0
    for file, text in stale:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    for file in gone:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
