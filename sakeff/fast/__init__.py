"""The fast path: representations arranged for inference, with C++ operators where a compiler is."""
