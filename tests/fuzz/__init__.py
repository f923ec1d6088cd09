"""Coverage-guided fuzzing of reviews and of the HTTP protocol; ``make fuzz``, and a short part of it in ``make test``.

A target is a function of bytes that raises if the product breaks a property. atheris changes the bytes, and keeps
those that reach new branches.
"""
