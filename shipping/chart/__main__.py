"""``python -m shipping.chart``: write the templates of the chart."""

from pathlib import Path
from typing import Final

from shipping.chart.chart import read_values, templates

MANIFESTS: Final = Path(__file__).resolve().parents[2] / "manifests"
CHART: Final = MANIFESTS / "chart"
MARK: Final = "{{- /* Made from "


def write(chart: Path) -> None:
    """Write every generated template, and remove those whose source is gone."""
    folder = chart / "templates"
    made = templates(MANIFESTS, read_values(chart))
    for path in folder.glob("*.yaml"):
        if path.name not in made and path.read_text().startswith(MARK):
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(CHART)
