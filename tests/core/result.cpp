// Errors as values.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>
#include <vector>

TEST_CASE("a result holds a value or a failure", "[core]") {
  ctlm::result<int> good{3};
  REQUIRE(good);
  CHECK(*good == 3);
  CHECK(good.value() == 3);

  ctlm::result<int> bad{ctlm::failure{ctlm::errc::truncated, "the file ends early", 17}};
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == ctlm::errc::truncated);
  CHECK(bad.error().where == 17);
#if CTLM_EXCEPTIONS
  try {
    (void)bad.value();
    FAIL("value() of a failure must throw");
  } catch (const ctlm::error& e) {
    CHECK(std::strcmp(e.what(), "the file ends early") == 0);
    CHECK(e.code() == ctlm::errc::truncated);
    CHECK(e.where() == 17);
  }
#endif
}

TEST_CASE("a span views anything contiguous", "[core]") {
  std::vector<int> v{1, 2, 3};
  int a[] = {4, 5};
  ctlm::span<const int> s = v;
  CHECK(s.size() == 3);
  CHECK(s.subspan(1)[0] == 2);
  CHECK(s.first(2).back() == 2);
  s = a;
  CHECK(s[1] == 5);
  CHECK(ctlm::span<int>{}.empty());
}
