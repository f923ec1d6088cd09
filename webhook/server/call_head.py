"""What the head of a request says before its body is read: taken, or refused with one line."""

from typing import Final, NamedTuple

ADMISSION_PATHS: Final = ("/mutate", "/validate")
REVIEW_TYPE: Final = "application/json"
LINE_TYPE: Final = "text/plain; charset=utf-8"


class Refusal(NamedTuple):
    """An HTTP status, one line for a person, and the methods to name in ``Allow`` (405 only)."""

    status: int
    line: str
    allow: str = ""

    @property
    def body(self) -> bytes:
        return f"{self.line}\n".encode()


def refuse_head(method: str, path: str, content_type: str, content_length: int | None, limit: int) -> Refusal | None:
    """Why the body of this call will not be read; None when it will. ``limit`` and ``content_length`` are in bytes."""
    if method != "POST":
        return Refusal(405, f"{path} takes an AdmissionReview by POST, not {method[:16]}", "POST")
    if content_length is not None and content_length > limit:
        return too_large(limit)
    if content_type.partition(";")[0].strip().lower() != REVIEW_TYPE:
        seen = f"not {content_type[:64]!r}" if content_type else "and this call names none"
        return Refusal(415, f"Content-Type must be {REVIEW_TYPE}, {seen}")
    return None


def too_large(limit: int) -> Refusal:
    """The body is longer than ``limit`` bytes, by its own account or by what has come in."""
    return Refusal(413, f"the body is larger than {limit} bytes, the most that is read")


def unknown_path(path: str) -> Refusal:
    """There is nothing at this path."""
    return Refusal(404, f"nothing at {path[:128]!r}; GET / says what there is")
