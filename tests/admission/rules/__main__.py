"""Write the table of rules into the documents that show it."""

from tests.admission.rules.documents import documents, with_table

for path in documents():
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{path}: written")
