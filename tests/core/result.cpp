// Errors as values.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cstring>
#include <string>
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

TEST_CASE("a failure explains itself with its numbers", "[core]") {
  using namespace ctlm;
  const failure f{errc::out_of_memory, "no room: {needed} bytes needed, {had} had, at {where} of {name}{", 7, 100, 64,
                  "head.weight"};
  CHECK(std::strcmp(explain(f).text, "no room: 100 bytes needed, 64 had, at 7 of head.weight{") == 0);
  CHECK(std::strcmp(explain({errc::corrupt, "{token} of {needed}", 0, 512, static_cast<std::size_t>(-5)}).text,
                    "-5 of 512") == 0);
  CHECK(std::strcmp(explain({errc::ok, "{name}{other}"}).text, "{other}") == 0);  // no name, and no such number
  const std::string endless(1000, 'x');
  CHECK(std::strlen(explain({errc::corrupt, endless.c_str()}).text) == sizeof(explanation) - 1);
  STATIC_REQUIRE(explain({errc::corrupt, "{had}", 0, 0, ~std::size_t{0}}).text[0] != '{');
#if CTLM_EXCEPTIONS
  try {
    check(false, {errc::out_of_memory, "{needed} > {had}", 0, 3, 2});
    FAIL("must throw");
  } catch (const error& e) {
    CHECK(std::strcmp(e.what(), "3 > 2") == 0);
    CHECK(e.reason().needed == 3);
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
