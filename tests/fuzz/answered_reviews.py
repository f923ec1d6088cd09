"""What must hold of the answer to one review, for any bytes; judged without any code of the product."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any, Final

import jsonpatch

Ask = Callable[[str, bytes], tuple[int, bytes]]
"""The status and body for a path without a query and the body of a review."""

OWN_PATHS: Final = ("/mutate", "/validate")
DENIALS: Final = (400, 403)
MAX_WARNING: Final = 256
MAX_ANSWER: Final = 64 * 1024
"""In bytes, for an answer without a patch."""


class Broken(AssertionError):
    """An answer does not have a property that it must have."""


def hold(kept: bool, law: str, answer: object) -> None:
    if not kept:
        raise Broken(f"{law}: {str(answer)[:2000]}")


def judge_answer(ask: Ask, path: str, body: bytes, status: int, answer: bytes) -> None:
    """Raise Broken unless the answer is a whole verdict on this review, or a refusal of what is no review."""
    if status != 200:
        hold(400 <= status < 500, "the server never fails on a body", (status, answer))
        line = answer.decode()
        hold(line.endswith("\n") and line[:-1].isprintable(), "a refusal is one printable line", line)
        return
    hold(path in (*OWN_PATHS, "/knative"), "only three paths take reviews", path)
    try:
        review = json.loads(body)
    except RecursionError:
        return
    whole = json.loads(answer)
    hold((whole["apiVersion"], whole["kind"]) == ("admission.k8s.io/v1", "AdmissionReview"), "an envelope", whole)
    response = whole["response"]
    hold(response["uid"] == review["request"]["uid"], "the answer echoes the uid", response)
    hold(response["allowed"] in (True, False), "allowed or denied", response)
    _judge_texts(response)
    hold(response["allowed"] or path in OWN_PATHS, "Knative's own objects are never denied", response)
    if "patch" in response:
        _judge_patch(ask, path, review, response)
    else:
        hold(len(answer) <= MAX_ANSWER, "an answer is bounded", len(answer))


def judge_failed(status: int, answer: bytes, failed_status: int, failed: bytes) -> None:
    """Raise Broken unless a review that cannot be judged is answered where one that can be is, with its uid.

    One whose envelope is refused may be answered too: the exception can have been raised in reading it.
    """
    if status == 200:
        hold(failed_status == 200, "a review that fails is answered", (failed_status, failed))
        response = json.loads(failed)["response"]
        hold(response["uid"] == json.loads(answer)["response"]["uid"], "its answer echoes the uid", response)
        hold("patch" not in response, "what is not judged is not patched", response)
        texts = [*response.get("warnings", []), response.get("status", {}).get("message", "x")]
        hold(all(text.isprintable() for text in texts), "its texts are printable lines", texts)


def _judge_texts(response: dict[str, Any]) -> None:
    for text in response.get("warnings", []):
        hold(0 < len(text) <= MAX_WARNING and text.isprintable(), "a warning is a short printable line", text)
    if response["allowed"]:
        hold("status" not in response, "what is allowed has no status of a denial", response)
        return
    status = response["status"]
    hold(status["code"] in DENIALS, "a denial is 400 or 403", status)
    lines = status["message"].split("\n")
    hold(all(line and line.isprintable() for line in lines), "a message is made of printable lines", status)
    hold("patch" not in response, "a denial patches nothing", response)


def _judge_patch(ask: Ask, path: str, review: dict[str, Any], response: dict[str, Any]) -> None:
    hold(path != "/validate", "the validating call patches nothing", response)
    hold(response["patchType"] == "JSONPatch", "a patch says its type", response)
    operations = json.loads(base64.b64decode(response["patch"], validate=True))
    hold(bool(operations) and all(each["op"] == "add" for each in operations), "a patch only adds", operations)
    before = review["request"]["object"]
    after = jsonpatch.apply_patch(copy.deepcopy(before), operations)
    if path == "/mutate":
        hold(_has(after, before), "defaults change nothing that is set", operations)
    try:
        again = json.dumps({**review, "request": {**review["request"], "object": after}}, allow_nan=False)
    except ValueError:
        # A number beyond those of JSON's usual readers, which no API server writes; Python reads it as infinite.
        return
    status, answer = ask(path, again.encode())
    hold(status == 200 and "patch" not in json.loads(answer)["response"], "a second pass gives no patch", operations)


def _has(after: Any, before: Any) -> bool:
    """True if everything in ``before`` is in ``after``; null counts as absent."""
    if before is None:
        return True
    if isinstance(before, dict):
        return isinstance(after, dict) and all(_has(after.get(key), value) for key, value in before.items())
    if isinstance(before, list):
        return isinstance(after, list) and len(after) >= len(before) and all(map(_has, after, before))
    return type(after) is type(before) and (after == before or before != before)
