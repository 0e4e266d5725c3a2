"""`unrolled lecture`: run the lecture on sequence models in the terminal."""

import json
from typing import Annotated

import typer


def lecture(
    out: Annotated[str, typer.Option(help="folder for the page and its pictures")] = "lecture",
    seed: Annotated[int, typer.Option(help="random seed of every network in it")] = 0,
) -> None:
    """Run the lecture on sequence models: vanishing and exploding gradients, and three remedies."""
    from rich.console import Console
    from rich.table import Table

    from unrolled.errors import OptionError
    from unrolled.places import local_path
    from unrolled.report.lecture import chapters
    from unrolled.report.page import write_page, write_pictures
    from unrolled.report.whole_files import write_whole

    folder = local_path(out, "--out", OptionError)
    console, sections = Console(), []
    for number, section in enumerate(chapters(seed), 1):
        console.rule(f"[bold]{number}. {section.title}", align="left")
        for paragraph in section.text:
            console.print(paragraph, markup=False)
        for grid in section.tables:
            table = Table(title=grid.caption or None, title_justify="left")
            for heading in grid.header:
                table.add_column(heading)
            for row in grid.rows:
                table.add_row(*row)
            console.print(table)
        sections.append(section)
    lead = "Every number on this page was computed when the page was made."
    write_page(folder / "index.html", "Sequence models: a lecture with computed examples", lead, sections)
    pictures = write_pictures(folder, sections)
    numbers = {section.title: [{"header": g.header, "rows": g.rows} for g in section.tables] for section in sections}
    write_whole(folder / "numbers.json", json.dumps(numbers, indent=1, ensure_ascii=False))
    console.print(f"page: {folder / 'index.html'}, {len(pictures)} pictures, numbers.json", markup=False)
