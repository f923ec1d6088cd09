"""Text from objects, files and servers, made fit for a terminal."""

from webhook.text import visible

__all__ = ["visible"]
