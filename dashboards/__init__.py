"""Contexts in, HTML out: pages, words, charts. No HTTP, no registry, no store."""
