// expect: ctlm: the key at byte .where. of this JSON text is in its object twice
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define HEADS "layers"
#else
#define HEADS "heads"
#endif

constexpr auto config = ctlm::json::literal("{\"layers\": 5, \"" HEADS "\": 8}");
static_assert(*config.find("layers").as_integer<int>() == 5);
