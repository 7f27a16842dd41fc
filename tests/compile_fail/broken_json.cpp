// expect: ctlm: a comma or a closing bracket was expected at byte .where. of this JSON text
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define COMMA
#else
#define COMMA ","
#endif

constexpr auto config = ctlm::json::literal(R"({"layers": 5)" COMMA R"( "heads": 8})");
static_assert(*config.find("layers").as_integer<int>() == 5);
