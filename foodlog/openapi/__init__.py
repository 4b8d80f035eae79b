"""The OpenAPI document: what the routes take and answer, generated from the code.

``foodlog openapi`` prints it; ``foodlog/openapi.yaml`` is what an installation serves.
"""
