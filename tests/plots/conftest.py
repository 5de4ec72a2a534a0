"""One comparison that tests of figures share and none changes."""

import pytest
from comparisons import comparison


@pytest.fixture(scope="session")
def found():
    return comparison()
