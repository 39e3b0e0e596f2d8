// Assertions for bugs, on in every build: a program that is wrong stops before it writes something wrong.
#pragma once

namespace spaktok {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define SPAKTOK_ASSERT(expression) \
    ((expression) ? void(0) : ::spaktok::assertion_failed(#expression, __FILE__, __LINE__))
