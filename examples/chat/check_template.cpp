// Is the chat template of a model known? ./dev chat asks before it compiles the model, which takes longer.
//   check_template MODEL
#include <ctlm/app/load_chat_template.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: check_template MODEL\n", stderr), 1;
  const auto how = ctlm::load_chat_template(argv[1]);
  if (how) return 0;
  std::fprintf(stderr, "chat: %s: %s (--raw goes on with a text as it is)\n", argv[1], ctlm::explain(how.error()).text);
  return 1;
}
