"""Write the corpus anew."""

from tests.corpus.files import FILES, write

for kind in FILES:
    print(f"{write(kind)}: written")
