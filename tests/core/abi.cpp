// The ABI tag, and what says the same in words.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <string>
#include <typeinfo>

TEST_CASE("the native backend is called what the ABI tag calls it", "[core]") {
  const std::string tag = CTLM_QUOTE(CTLM_ABI), isa = CTLM_QUOTE(CTLM_ABI_ISA);
  CHECK(tag.find("_" + isa + "_") != std::string::npos);
  CHECK(std::string(typeid(ctlm::rng).name()).find(tag) != std::string::npos);
  CHECK(ctlm::native::name == (CTLM_XSIMD ? isa : "portable"));
  CHECK(ctlm::portable::name == std::string("portable"));
}
