// Names of the release before this one still work: they are other names of the same types.
#define CTLM_OLD_ACTIVATION_NAMES
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

TEST_CASE("old names are the new types", "[policy]") {
  CHECK(std::is_same_v<ctlm::prefill<4>, ctlm::prompt_chunk<4>>);
  CHECK(std::is_same_v<ctlm::arch<ctlm::portable>, ctlm::backend<ctlm::portable>>);
  CHECK(std::is_same_v<ctlm::tanh, ctlm::tanh_activation>);
  CHECK(std::is_same_v<ctlm::sigmoid, ctlm::sigmoid_activation>);
}
