// The entry point of Catch2 2.13; Catch2 3 links its own.
#if !CTLM_CATCH2_V3
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
