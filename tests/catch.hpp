// Catch2, version 2.13 or 3: what tests include.
#pragma once

#if CTLM_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
namespace Catch {
inline auto Contains(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif

#include <cstddef>
#include <string>
#include <vector>

// Arrays that differ are shown by their first elements: a whole model's would take hours, and nobody would read them.
namespace Catch {
template <class T>
struct beginning_of {
  static std::string convert(const std::vector<T>& v) {
    constexpr std::size_t most = 64;
    std::string text = "{";
    for (std::size_t i = 0; i < v.size() && i < most; ++i) text += ' ' + ::Catch::Detail::stringify(v[i]);
    if (v.size() > most) text += " and " + std::to_string(v.size() - most) + " more";
    return text + " }";
  }
};
template <>
struct StringMaker<std::vector<std::byte>> : beginning_of<std::byte> {};
template <>
struct StringMaker<std::vector<std::vector<std::byte>>> : beginning_of<std::vector<std::byte>> {};
template <>
struct StringMaker<std::vector<float>> : beginning_of<float> {};
template <>
struct StringMaker<std::vector<double>> : beginning_of<double> {};
template <>
struct StringMaker<std::vector<int>> : beginning_of<int> {};
}  // namespace Catch
