// Exists so that CMake has a target to compile precompiled.h for.
