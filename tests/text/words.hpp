// What tests of tokenizers share: the texts of stored JSON, and the words of failures.
#pragma once

#include <ctlm/ctlm.hpp>

#include <string>

inline std::string text_of(const ctlm::json::value& v) {
  std::string s;
  v.decode([&](char c) { s += c; });
  return s;
}
inline std::string written(const ctlm::json::value& v) { return {v.written().data(), v.written().size()}; }
template <class T>
std::string words_of(const ctlm::result<T>& r) {
  return r ? "" : explain(r.error()).text;
}
