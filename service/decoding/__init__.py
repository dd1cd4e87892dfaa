"""The engine: batched greedy and beam decoding, continuous over requests of every kind."""
