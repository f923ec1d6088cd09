"""The one error of packing."""


class CannotPack(RuntimeError):
    """The release cannot be packed; the message says in one line why, and the way out."""
