"""Objects of both kinds, each with the findings for a person who creates it.

One JSON object a line: ``name``; ``object``, the manifest; ``findings``, the ids that refuse it; ``warnings``, the ids
that only warn where no RO is known. Both lists are sorted; an id stands in both if one entry is refused for it and
another only warned about. The webhook gives these ids; an API server with the CRDs and the policies refuses the same
objects. Where a value has the wrong type it is the CRD's schema that refuses, in its own words.

``python -m tests.corpus`` writes the files anew from the variants in this package.
"""
