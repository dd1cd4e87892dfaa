"""Corpora, tokenizer fitting and batches."""
