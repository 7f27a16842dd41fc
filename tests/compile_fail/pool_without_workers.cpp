// hosted
// expect: ctlm: pool<N> counts the thread that calls run\(\), so N is at least 1
#include <ctlm/policy/threads/pool.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t workers = 0;
#else
inline constexpr std::size_t workers = 1;
#endif

ctlm::pool<workers> pool;
