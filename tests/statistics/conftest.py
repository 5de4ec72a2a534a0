"""Examples are drawn without a clock: machines that are busy are no failure."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
