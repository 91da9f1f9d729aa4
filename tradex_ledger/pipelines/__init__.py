"""Pipelines that come with the program, each a folder of definitions."""
