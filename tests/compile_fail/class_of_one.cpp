// expect: ctlm: classification<classes> needs at least 2 classes to tell apart
#include <ctlm/ctlm.hpp>
#include <ctlm/train/heads.hpp>

#ifdef CTLM_EXPECT_FAIL
using head = ctlm::classification<1>;
#else
using head = ctlm::classification<2>;
#endif

static_assert(head::outputs < 3);
