// What is linked to every fuzz target: files, and seeds written to the folder that CTLM_FUZZ_SEEDS names.
#include "fuzz.hpp"

#include <unistd.h>

namespace fuzz {

const char* path() {
  struct temporary {
    std::string folder = [] {
      const char* root = std::getenv("TMPDIR");
      std::string name = std::string(root != nullptr ? root : "/tmp") + "/ctlm-fuzz-XXXXXX";
      require(::mkdtemp(name.data()) != nullptr, "there is room for a temporary folder");
      return name;
    }();
    std::string file = folder + "/input";
    ~temporary() {
      ::unlink(file.c_str());
      ::rmdir(folder.c_str());
    }
  };
  static const temporary t;
  return t.file.c_str();
}

const char* file_of(const std::string& bytes) {
  std::FILE* f = std::fopen(path(), "wb");
  require(f != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size(), "a file can be written");
  std::fclose(f);
  return path();
}

}  // namespace fuzz

/// libFuzzer calls this first, and so does main.cpp.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = std::getenv("CTLM_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  std::size_t n = 0;
  fuzz::seeds([&](const std::string& bytes) {
    const std::string name = std::string(folder) + "/seed-" + std::to_string(n++);
    std::FILE* f = std::fopen(name.c_str(), "wb");
    fuzz::require(f != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size(),
                  "seeds can be written");
    std::fclose(f);
  });
  std::exit(n > 0 ? 0 : 1);
}
