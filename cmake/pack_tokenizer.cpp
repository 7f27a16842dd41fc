// SPDX-License-Identifier: MIT
// Packs a tokenizer for flash: what ctlm_embed_tokenizer runs while a program is built.
//   pack_tokenizer NAME FILE FOLDER [VOCAB]    writes FOLDER/NAME.tokenizer and FOLDER/NAME.hpp
#include <ctlm/text/pack_tokenizer.hpp>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return std::fprintf(stderr, "usage: pack_tokenizer NAME FILE FOLDER [VOCAB]\n"), 2;
  const std::string name = argv[1], base = std::string(argv[3]) + "/" + name;
  const std::size_t vocab = argc == 5 ? std::strtoul(argv[4], nullptr, 10) : 0;
  const auto fail = [&](const ctlm::failure& f) {
    return std::fprintf(stderr, "pack_tokenizer: %s: %s\n", argv[2], ctlm::explain(f).text), 1;
  };
  const auto image = ctlm::pack_tokenizer_file(argv[2], vocab);
  if (!image) return fail(image.error());
  if (const auto r = ctlm::replace_file((base + ".tokenizer").c_str(), *image); !r) return fail(r.error());
  if (const auto r = ctlm::write_tokenizer_header((base + ".hpp").c_str(), name); !r) return fail(r.error());
}
