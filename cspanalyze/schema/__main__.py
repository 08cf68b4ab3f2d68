"""`python -m cspanalyze.schema` prints the schema that belongs into `run.schema.json`."""

import json

from cspanalyze.schema import generate

print(json.dumps(generate(), indent=1, ensure_ascii=False))
