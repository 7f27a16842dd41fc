// What fuzz targets share. A target is a function of bytes that aborts where a promise of the library is broken.
#pragma once

#include <ctlm/ctlm.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Inputs to begin with, which the library makes; each target has its own.
void seeds(const std::function<void(const std::string&)>& keep);

/// A promise.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// Takes an input apart from its front; zeros follow its end.
class input {
 public:
  input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  std::size_t left() const { return left_; }
  template <class T>
  T number() {
    T value{};
    const std::size_t n = left_ < sizeof value ? left_ : sizeof value;
    if (n > 0) std::memcpy(&value, data_, n);
    skip(n);
    return value;
  }
  std::size_t below(std::size_t n) { return number<std::uint16_t>() % n; }
  std::string text(std::size_t n) {
    n = n < left_ ? n : left_;
    std::string s(reinterpret_cast<const char*>(data_), n);
    skip(n);
    return s;
  }
  std::string rest() { return text(left_); }

 private:
  void skip(std::size_t n) {
    data_ += n;
    left_ -= n;
  }
  const std::uint8_t* data_;
  std::size_t left_;
};

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A path for this process alone.
const char* path();
/// The same, with a file of these bytes.
const char* file_of(const std::string& bytes);

/// Runs f, which may throw ctlm::error and nothing else; false if it did.
template <class F>
bool succeeds(F f) {
  try {
    f();
  } catch (const ctlm::error& e) {
    require(std::strncmp(e.what(), "ctlm: ", 6) == 0, "errors say what went wrong");
    return false;
  }
  return true;
}
/// A failure has words.
inline void require_words(const ctlm::failure& f) {
  require(f.code != ctlm::errc::ok && ctlm::explain(f).text[0] != '\0', "failures say what went wrong");
}

/// A small Llama whose weights lie in `bytes` bytes.
struct tiny {
  static constexpr ctlm::llama_config config{
      .vocab = 11, .d_model = 8, .layers = 2, .heads = 2, .kv_heads = 1, .d_ff = 12, .context = 6};
};
/// Weights of any model, from one stream of random numbers.
template <class M>
void randomise(const typename M::weights& w) {
  ctlm::initialise(w, 5, {.matrices = 0.3, .vectors = 0.3});
}
/// The flash image of such weights.
template <class M>
std::string image() {
  ctlm::heap_arena memory(M::weight_bytes);
  typename M::weights weights(memory);
  randomise<M>(weights);
  ctlm::write_image<M>(path(), weights).value();
  return ctlm::read_file(path()).value();
}

}  // namespace fuzz
