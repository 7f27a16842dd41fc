// expect: pooling_policy
#include <ctlm/ctlm.hpp>
#include <ctlm/train/heads.hpp>

#ifdef CTLM_EXPECT_FAIL
using head = ctlm::regression<1, ctlm::rms_norm>;
#else
using head = ctlm::regression<1, ctlm::last_row>;
#endif

static_assert(head::outputs == 1);
