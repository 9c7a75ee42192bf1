"""Hooks of mkdocs: one reference page for each room that exists, the navigation, and formulas as MathML."""

from __future__ import annotations

import html
import re
from pathlib import Path

import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

SECTIONS = {
    "Tutorial": "tutorial",
    "How-to": "how-to",
    "Reference": "reference",
    "Studies": "studies",
    "Decisions": "decisions",
}
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', flags=re.DOTALL)


def rooms(docs: Path) -> list[str]:
    """Return the names of the modules and packages directly in mho."""
    package = docs.parent / "src" / "mho"
    files = [p for p in package.glob("*.py") if not p.stem.startswith("_")]
    folders = [p.parent for p in package.glob("*/__init__.py")]
    return sorted(p.stem for p in (*files, *folders))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every page that exists, section by section."""
    docs = Path(config.docs_dir)
    nav: list[object] = [{"mho": "index.md"}]
    for title, folder in SECTIONS.items():
        pages = {p.relative_to(docs).as_posix() for p in (docs / folder).glob("**/*.md")}
        if folder == "reference":
            pages |= {f"reference/{room}.md" for room in rooms(docs)}
        if pages:
            nav.append({title: sorted(pages, key=lambda p: (not p.endswith("index.md"), p))})
    nav += [p.name for p in sorted(docs.glob("*.md")) if p.name != "index.md"]
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each room, filled from its docstrings."""
    for room in rooms(Path(config.docs_dir)):
        page = f"# `mho.{room}`\n\n::: mho.{room}\n    options:\n      show_root_heading: false\n"
        files.append(File.generated(config, f"reference/{room}.md", content=page))
    return files


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the formulas of a page into MathML, which browsers show without a script."""

    def mathml(found: re.Match[str]) -> str:
        display = "block" if found[2] == "[" else "inline"
        return latex2mathml.converter.convert(html.unescape(found[3]), display=display)

    return FORMULA.sub(mathml, content)
