"""Chapter 2's pipeline as generators: answers each search, a line of JSON, with a line of JSON."""

import json
import sys
import time


# #region pipeline
def lines_of(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        yield from file


def matches_in(word, lines):
    """For each line that has the word, how often."""
    for line in lines:
        found = line.count(word)
        if found:
            yield found
# #endregion pipeline


for request in sys.stdin:
    search = json.loads(request)
    begin = time.perf_counter()
    occurrences = sum(matches_in(search["word"], lines_of(search["file"])))
    ms = 1_000 * (time.perf_counter() - begin)
    print(json.dumps({"ms": ms, "occurrences": occurrences}), flush=True)
