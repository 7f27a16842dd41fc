// A conversation with a model from Hugging Face, in token ids: ./dev chat builds and runs it.
//   chat [--prompt "1 2 3"]
// Without a prompt it reads lines of ids and answers each; what was said before stays in the session. The ids of an
// answer are printed as they come, up to the end that config.json names (eos_token_id) or the end of the context.
#include <ctlm/ctlm.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

using lm = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<ctlm::pool<16>>,
                           ctlm::prompt_chunk<64>>;

struct counter {
  std::size_t tokens = 0;
  double seconds = 0;
};

[[noreturn]] void fail(const std::string& sentence) {
  std::fprintf(stderr, "chat: %s\n", sentence.c_str());
  std::exit(1);
}

/// The numbers of a line; what is none is said, and the line is empty then.
std::vector<ctlm::token> ids_of(const std::string& line) {
  std::vector<ctlm::token> ids;
  const char *p = line.data(), *const end = p + line.size();
  while (p != end) {
    if (*p == ' ' || *p == '\t' || *p == ',' || *p == '\r') {
      ++p;
      continue;
    }
    ctlm::token id = 0;
    const auto number = std::from_chars(p, end, id);
    if (number.ec != std::errc() || number.ptr == p) {
      std::fprintf(stderr, "chat: token ids are numbers with spaces between them, as in 1 403 407; not \"%s\"\n", p);
      return {};
    }
    ids.push_back(id);
    p = number.ptr;
  }
  return ids;
}

/// Prints the answer to a prompt; false if there is none.
bool answer(ctlm::loaded_model<lm>& model, const std::vector<ctlm::token>& prompt, counter& made) {
  if (prompt.empty()) return false;
  using clock = std::chrono::steady_clock;
  clock::time_point first;  // the prompt is taken before it, and not counted
  std::size_t n = 0;
  const auto drawn = model.go_on(prompt, lm::shape.context, [&](ctlm::token t) {
    if (n++ == 0) first = clock::now();
    std::printf("%d ", t);
    std::fflush(stdout);
  });
  std::printf("\n");
  if (!drawn) std::fprintf(stderr, "chat: %s\n", ctlm::explain(drawn.error()).text);
  if (n > 1) {
    made.tokens += n - 1;
    made.seconds += std::chrono::duration<double>(clock::now() - first).count();
  }
  return static_cast<bool>(drawn);
}

}  // namespace

int main(int argc, char** argv) try {
  const bool has_prompt = argc == 3 && std::string(argv[1]) == "--prompt";
  if (has_prompt && std::string(argv[2]).find_first_of("0123456789") == std::string::npos)
    fail(std::string("a prompt is token ids with spaces between them, as in 1 403 407; not \"") + argv[2] + "\"");
  if (argc != 1 && !has_prompt) fail("usage: chat [--prompt \"1 2 3\"]");

  ctlm::tensor_report report;
  auto model = ctlm::load<lm>(example_model::files, &report);
  std::fputs(report.text.c_str(), stderr);  // a line for each tensor that does not fit
  if (!model) fail(std::string(example_model::files) + ": " + ctlm::explain(model.error()).text);

  counter made;
  bool answered = true;
  if (has_prompt) {
    answered = answer(*model, ids_of(argv[2]), made);
  } else {
    for (std::string line; std::getline(std::cin, line);) answer(*model, ids_of(line), made);
  }
  if (made.seconds > 0)
    std::fprintf(stderr, "%.1f tokens per second\n", static_cast<double>(made.tokens) / made.seconds);
  return answered ? 0 : 1;
} catch (const std::exception& e) {  // logits that are not numbers
  fail(e.what());
}
