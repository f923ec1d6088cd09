"""The name of the image of a release, as it is given."""

import pytest

from shipping.release.errors import CannotPack
from shipping.release.image import Image

DIGEST = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("text", "image", "written"),
    [
        ("stagegate", Image("stagegate", "1.2.3"), "stagegate:1.2.3"),
        ("r.example.com/a/stagegate:1.2.3", Image("r.example.com/a/stagegate", "1.2.3"), None),
        (
            "r.example.com:5000/stagegate",
            Image("r.example.com:5000/stagegate", "1.2.3"),
            "r.example.com:5000/stagegate:1.2.3",
        ),
        (f"r.example.com/stagegate@{DIGEST}", Image("r.example.com/stagegate", "1.2.3", DIGEST), None),
        (
            f"r.example.com/stagegate:1.2.3@{DIGEST}",
            Image("r.example.com/stagegate", "1.2.3", DIGEST),
            f"r.example.com/stagegate@{DIGEST}",
        ),
    ],
)
def test_what_can_be_named(text: str, image: Image, written: str | None) -> None:
    assert Image.parse(text, "1.2.3") == image
    assert str(image) == (written or text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stagegate:1.2.4", "IMAGE='stagegate:1.2.4': the tag must be the version, 1.2.3"),
        ("stagegate:latest", "IMAGE='stagegate:latest': the tag must be the version, 1.2.3"),
        (f"stagegate:v1.2.3@{DIGEST}", f"IMAGE='stagegate:v1.2.3@{DIGEST}': the tag must be the version, 1.2.3"),
        *(
            (text, f"IMAGE={text!r}: must be NAME, NAME:1.2.3 or NAME@sha256:DIGEST")
            for text in (
                *("Stagegate", "a b", ":1.2.3", "stagegate@", "stagegate@sha256:0a", "a\nb", f"@{DIGEST}"),
                *("a:b:1.2.3", "a//b", "a:b/c", "a/b:5000/c"),
            )
        ),
    ],
)
def test_what_cannot_be_named(text: str, message: str) -> None:
    with pytest.raises(CannotPack) as caught:
        Image.parse(text, "1.2.3")

    assert str(caught.value) == message
