"""What all tests share: hypothesis without deadlines, since the machines are shared and noisy."""

from hypothesis import settings

settings.register_profile("melodyvae", deadline=None, derandomize=True)
settings.load_profile("melodyvae")
