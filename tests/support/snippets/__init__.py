"""Runs the code blocks of the documentation as a reader would.

How a page is written for it: the chapter on documentation in CONTRIBUTING.md.
"""
