"""`make bench-peers`: other retrieval libraries on the same statements, phrasings, vectors and questions."""
