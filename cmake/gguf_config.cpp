// SPDX-License-Identifier: MIT
// Prints the config of a GGUF file; ctlm_add_model builds and runs it.
#include <ctlm/io/gguf_config.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  const auto file = ctlm::gguf_file::open(argc > 1 ? argv[1] : "");
  const auto text = file ? ctlm::gguf_config_text(*file) : ctlm::result<std::string>(file.error());
  std::fputs(text ? text->c_str() : ctlm::explain(text.error()).text, stdout);
  return text ? 0 : 1;
}
