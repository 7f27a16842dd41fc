// SPDX-License-Identifier: MIT
// ctlm: writes the text of a config.json.
#pragma once

#include "../core/span.hpp"

#include <charconv>
#include <string>

namespace ctlm { inline namespace CTLM_ABI {

/// Builds the text of a config.json, a key at a time.
class config_text {
 public:
  /// A key and its value as it is written.
  void key(const char* name, const std::string& value) {
    text_ += text_.empty() ? "{\n  \"" : ",\n  \"";
    text_.append(name).append("\": ").append(value);
  }
  /// A text, which needs no escapes.
  void string(const char* name, const char* value) { key(name, std::string("\"").append(value).append("\"")); }
  /// A whole number.
  void integer(const char* name, std::size_t value) { key(name, std::to_string(value)); }
  /// True or false.
  void flag(const char* name, bool value) { key(name, value ? "true" : "false"); }
  /// The shortest spelling that is read as the same number.
  template <class T>
  void number(const char* name, T value) {
    key(name, spelling_of(value));
  }
  /// A list of numbers.
  void numbers(const char* name, span<const float> values) {
    std::string all = "[";
    for (const float x : values) all.append(all.size() > 1 ? ", " : "").append(spelling_of(x));
    key(name, all.append("]"));
  }
  /// The object.
  std::string finished() const { return text_ + "\n}\n"; }

 private:
  template <class T>
  static std::string spelling_of(T value) {
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    std::string spelt(digits, end.ptr);
    if (spelt.find_first_of(".e") == std::string::npos) spelt += ".0";  // readers tell whole numbers from others
    return spelt;
  }

  std::string text_;
};

}}  // namespace ctlm
