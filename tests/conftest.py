"""What holds for all tests."""

from hypothesis import settings

# By its own clock Hypothesis fails an example that a busy machine kept waiting for 0.2 s.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
