// The only file that is compiled with the names of folders.
#include "paths.hpp"

namespace paths {

const char* const source = CTLM_SOURCE_DIR;
const char* const test_data = CTLM_TEST_DATA;

}  // namespace paths
