import pytest

from sakeff.errors import ConfigError
from sakeff.nn.choose import choose


def test_gives_the_part_or_names_the_choices():
    table = {"smooth": 1, "literal": 2}
    assert choose(table, "norm", "literal") == 2
    with pytest.raises(ConfigError, match=r"Unknown norm 'l1'; choose one of \['literal', 'smooth'\]"):
        choose(table, "norm", "l1")
