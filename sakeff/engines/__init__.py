"""Adapters to simulation packages: units, arrays and caching, no physics. Nothing imports them."""
