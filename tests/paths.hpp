// Folders that tests read.
#pragma once

namespace paths {

extern const char* const source;     // the root of the repository
extern const char* const test_data;  // real models and texts; may be absent

}  // namespace paths
