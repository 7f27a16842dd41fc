// write_model_header: a name that is accepted can name a namespace.
#include "fuzz.hpp"

#include <cctype>

using namespace ctlm;
using lm = causal_lm<fuzz::tiny, weights<int8<32>>>;

namespace {

constexpr const char* keywords[] = {"class", "int", "namespace", "template", "if", "new", "xor", "co_await", "char8_t"};

bool can_name(const std::string& s) {
  for (const char* word : keywords)
    if (s == word) return false;
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s[0]))) return false;
  for (char c : s)
    if (c != '_' && !std::isalnum(static_cast<unsigned char>(c))) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::string name = in.rest();
  const auto written = write_model_header<lm>(fuzz::path(), name);
  if (!written) {
    fuzz::require_words(written.error());
    return 0;
  }
  fuzz::require(can_name(name), "a name that is accepted can name a namespace");
  const std::string text = read_file(fuzz::path()).value();
  fuzz::require(text.find("\nnamespace " + name + " {\n") != std::string::npos, "the header has the namespace");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  for (const char* name : {"stories", "a_b2", "2a", "", "class", "int", "x::y", "a b"}) keep(name);
}
