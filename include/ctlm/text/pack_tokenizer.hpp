// SPDX-License-Identifier: MIT
// ctlm: packs a tokenizer for flash, on a computer: the image that flash_tokenizer reads where it lies.
#pragma once

#include "../io/pack.hpp"
#include "bpe.hpp"
#include "flash_tokenizer.hpp"
#include "packing/llama2c.hpp"
#include "packing/tokenizer_json.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace packing_detail {

inline constexpr const char* no_memory = "ctlm: there is not enough memory to pack this tokenizer";

inline tables tables_of(const bpe& from) {
  tables t;
  t.steps = {flash_step::own_words};
  for (std::size_t i = 0; i < from.vocab(); ++i) {
    t.texts.emplace_back(from.bytes_of(static_cast<token>(i)));
    t.marks.push_back(0);
    if (i < 256) t.letters.push_back(static_cast<token>(i));
  }
  std::uint32_t rank = 0;
  for (const bpe::merge& m : from.merges()) {
    t.merges[{m.left, m.right}] = {rank, 256 + rank};
    ++rank;
  }
  return t;
}

}  // namespace packing_detail

/// The image of a tokenizer that was trained here. Errors: errc::unsupported, where its tokens have more than 2^30
/// bytes; out_of_memory.
inline result<std::string> pack_tokenizer(const bpe& t) {
  return or_out_of_memory(packing_detail::no_memory,
                          [&] { return packing_detail::image_writer(packing_detail::tables_of(t)).write(); });
}
/// The image of a tokenizer of llama2.c. Errors: the same.
inline result<std::string> pack_tokenizer(const llama2c_tokenizer& t) {
  return or_out_of_memory(packing_detail::no_memory, [&] {
    const packing_detail::tables all = packing_detail::llama2c_packer(t).pack();
    return packing_detail::image_writer(all).write();
  });
}
/// The image of a tokenizer.json, of its text. Its letters are bytes; it has no normalizer; words are cut by patterns
/// that are scanned here, by Digits and by ByteLevel; added tokens have none of single_word, lstrip and rstrip.
/// Errors: those of hf_tokenizer::parse; errc::unsupported for whatever else the file has, by its name; out_of_memory.
inline result<std::string> pack_tokenizer(std::string_view tokenizer_json) {
  return or_failure(packing_detail::no_memory, [&]() -> result<std::string> {
    const auto t = hf_tokenizer::parse(tokenizer_json);
    if (!t) return t.error();
    const auto root = json::parse(span<const char>(tokenizer_json.data(), tokenizer_json.size()), {}, heap_keys());
    if (!root) return root.error();
    const auto all = packing_detail::json_packer(*root, *t).pack();
    if (!all) return all.error();
    return packing_detail::image_writer(*all).write();
  });
}

/// The image of a file: a tokenizer.json, if its name ends with .json, or a tokenizer of llama2.c with `vocab` tokens.
/// Errors: those of reading it and of pack_tokenizer.
inline result<std::string> pack_tokenizer_file(const std::string& path, std::size_t vocab = 0) {
  if (!path.ends_with(".json")) {
    const auto t = llama2c_tokenizer::load(path.c_str(), vocab);
    if (!t) return t.error();
    return pack_tokenizer(*t);
  }
  const auto text = read_file(path.c_str());
  if (!text) return text.error();
  return pack_tokenizer(std::string_view(*text));
}

/// Writes a header that a firmware includes: namespace `name` with `image()`, the bytes that ctlm_embed_tokenizer
/// (cmake/embed_tokenizer.cmake) links. A name that a namespace cannot have is errc::invalid_argument.
inline result<void> write_tokenizer_header(const char* path, const std::string& name) {
  if (const auto r = pack_detail::check_name(name); !r) return r;
  return or_out_of_memory(packing_detail::no_memory, [&] {
    const std::string symbol = "ctlm_image_" + name;
    std::string text =
        "// Written by ctlm: a tokenizer in flash.\n#pragma once\n\n#include <ctlm/text/flash_tokenizer.hpp>\n\n";
    text.append("extern \"C\" const std::byte ").append(symbol).append("[];\nextern \"C\" const std::byte ");
    text.append(symbol).append("_end[];\n\nnamespace ").append(name);
    text.append(" {\n\n/// The image; ctlm::flash_tokenizer::bind(image()) makes a tokenizer of it.\n");
    text.append("inline ctlm::span<const std::byte> image() {\n  return {").append(symbol);
    text.append(", static_cast<std::size_t>(").append(symbol).append("_end - ").append(symbol);
    text.append(")};\n}\n\n}  // namespace ").append(name).append("\n");
    return replace_file(path, text);
  });
}

/// Writes an image as C++ that needs no linking and can be read while compiling:
/// `inline constexpr auto name = ctlm::flash_bytes({...});`. For small tokenizers: each byte is a number to compile.
inline result<void> write_tokenizer_array(const char* path, const std::string& name, std::string_view image) {
  if (const auto r = pack_detail::check_name(name); !r) return r;
  return or_out_of_memory(packing_detail::no_memory, [&] {
    std::string text =
        "// Written by ctlm: a tokenizer in flash.\n#pragma once\n\n#include <ctlm/text/flash_tokenizer.hpp>\n\n";
    text.append("// clang-format off\ninline constexpr auto ").append(name).append(" = ctlm::flash_bytes({");
    std::size_t column = 120;
    for (const char c : image) {
      const std::string number = std::to_string(static_cast<unsigned>(static_cast<unsigned char>(c))) + ",";
      column += number.size();
      if (column > 118) {
        text.append("\n  ");
        column = 2 + number.size();
      }
      text.append(number);
    }
    return replace_file(path, text.append("\n});\n"));
  });
}

}}  // namespace ctlm
