"""Answers to questions in Portuguese and English, for people and chat front ends. Read-only, and no language model.

`recognition` makes a `Question` of a text, `answering` reads and words its answer, `routes` speaks the protocols.
"""
