// A chat template of any bytes is refused in words, or makes a text of a conversation that has what was said.
#include "fuzz.hpp"

#include <ctlm/text/chat/chat_template.hpp>

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string jinja(reinterpret_cast<const char*>(data), size);
  const auto how = chat_template::of(jinja, {"<s>", "</s>"});
  if (!how) return fuzz::require_words(how.error()), 0;
  const std::vector<chat_message> said{{"system", "brief"}, {"user", "one"}, {"assistant", "two"}, {"user", "three"}};
  for (const bool with_system : {true, false}) {
    const auto text = (*how)(span<const chat_message>(said).subspan(with_system ? 0 : 1));
    if (!text) {
      fuzz::require_words(text.error());
      continue;
    }
    for (const char* word : {"one", "two", "three"})
      fuzz::require(text->find(word) != std::string::npos, "what was said is in the text");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep("'<|im_start|>system\\nYou are x<|im_end|>\\n'");
  keep(
      "<|start_header_id|><|end_header_id|><|eot_id|>Cutting Knowledge Date: December 2023 date_string = \"26 Jul "
      "2024\"");
  keep("<start_of_turn><end_of_turn>first_user_prefix");
  keep("<<SYS>>[INST]");
  keep("' [INST] ' '[/INST]' loop.last and system_message ' ' + message['content'] | trim");
}
