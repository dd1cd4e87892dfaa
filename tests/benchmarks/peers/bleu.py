"""Corpus BLEU of {"hypotheses": [...], "references": [[...], ...]} on standard input."""

import json
import sys
from itertools import zip_longest

from sacrebleu.metrics import BLEU

told = json.load(sys.stdin)
bleu = BLEU()
score = bleu.corpus_score(told["hypotheses"], list(zip_longest(*told["references"])))
print(json.dumps({"score": score.score, "signature": str(bleu.get_signature())}))
