// Safetensors files for tests: made from a header, opened and described.
#pragma once

#include "catch.hpp"
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace safetensors_files {

using namespace ctlm;

inline std::string with_length(const std::string& header, const std::string& data = "") {
  const std::uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), sizeof n) + header + data;
}
inline std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                         const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

struct opened {
  scratch_folder folder;
  std::string path = folder / "model.safetensors";

  result<safetensors_file> file(const std::string& bytes) const {
    put_contents(path, bytes);
    return safetensors_file::open(path.c_str());
  }
  void refuses(const std::string& bytes, errc code, const char* words) const {
    const auto r = file(bytes);
    INFO(bytes.substr(0, 200));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == code);
    CHECK_THAT(std::string(explain(r.error())), Catch::Contains(words));
  }
};

inline std::string name_of(const stored_tensor& t) { return {t.name.data(), t.name.size()}; }
inline std::vector<float> numbers_of(const stored_tensor* t) {
  REQUIRE(t != nullptr);
  std::vector<float> numbers(t->count());
  t->decode(0, numbers.size(), numbers.data());
  return numbers;
}
inline std::vector<std::size_t> dimensions_of(const stored_tensor* t) {
  REQUIRE(t != nullptr);
  return {t->dimensions, t->dimensions + t->rank};
}
/// Names, types and shapes, as one text.
inline std::string description(const safetensors_file& f) {
  std::string all;
  for (const stored_tensor& t : f.tensors()) {
    all += name_of(t) + " " + t.encoding->name;
    for (const std::size_t n : dimensions_of(&t)) all += " " + std::to_string(n);
    all += '\n';
  }
  return all;
}

/// Where each byte is read once, a wrong address is noticed.
inline float sum_of(const safetensors_file& f) {
  float sum = 0;
  for (const stored_tensor& t : f.tensors())
    for (const float x : numbers_of(&t)) sum += std::isfinite(x) ? x : 0.0f;
  return sum;
}

}  // namespace safetensors_files
