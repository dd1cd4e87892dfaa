"""Cleaning raw pairs and dealing them into parts; nothing here needs torch.

rules, scripts         what may be dropped and why; which letters a language uses
reading                files -> chunks of raw lines
characters, mending    what characters are; mending sentences
keys                   digests and normal forms
checks, language       rules that look at one pair
rows, chunk, workers   a chunk -> pairs that are kept, counts, examples
duplicates, ratio      rules that compare pairs
components, split      train, dev and test without a common sentence
report, output, clean  results, and the whole of it
cli                    the arguments of `parley-train prepare`
"""
