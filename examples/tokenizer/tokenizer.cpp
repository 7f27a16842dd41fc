// Trains a tokenizer on text files and writes it as a folder that Hugging Face's `tokenizers` and ctlm read.
//   tokenizer TEXT... --out FOLDER [--size N] [--words gpt2|gpt2-digits|llama3|qwen2] [--special TOKEN]... [--least N]
//             [--threads N]
// Ctrl-C ends learning after the merge under way, and what was learned is written: it is what a smaller N gives.
#include "../program.hpp"

#include "../demo/interrupt.hpp"

#include <ctlm/text/train_tokenizer.hpp>

#include <unistd.h>

namespace {

struct options {
  std::vector<std::string> texts;
  std::string out, words = "llama3";
  ctlm::tokenizer_options training;
  std::size_t threads = std::thread::hardware_concurrency();
};

const char* pre_tokenizer_of(const std::string& words) {
  if (words == "gpt2") return ctlm::pre_tokenizers::gpt2;
  if (words == "gpt2-digits") return ctlm::pre_tokenizers::gpt2_digits;
  if (words == "llama3") return ctlm::pre_tokenizers::llama3;
  if (words == "qwen2") return ctlm::pre_tokenizers::qwen2;
  examples::fail("--words is gpt2, gpt2-digits, llama3 or qwen2, not \"" + words + "\"");
}

options read_options(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--out")
      o.out = examples::value_of(argc, argv, i);
    else if (word == "--size")
      o.training.vocab = examples::number_of(argc, argv, i, "tokens");
    else if (word == "--least")
      o.training.min_frequency = examples::number_of(argc, argv, i, "times");
    else if (word == "--threads")
      o.threads = examples::number_of(argc, argv, i, "threads");
    else if (word == "--words")
      o.words = examples::value_of(argc, argv, i);
    else if (word == "--special")
      o.training.special_tokens.push_back(examples::value_of(argc, argv, i));
    else if (word.starts_with("--"))
      examples::fail("there is no option " + word);
    else
      o.texts.push_back(word);
  }
  o.training.pre_tokenizer = pre_tokenizer_of(o.words);
  if (o.texts.empty()) examples::fail("the name of a text file is needed");
  if (o.out.empty()) examples::fail("--out FOLDER is needed");
  return o;
}

// A line that is written again and again, on a terminal.
void tell(const char* what, std::size_t done, std::size_t total, const char* unit) {
  static const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  if (is_terminal) std::fprintf(stderr, "\r%s: %zu of %zu %s ", what, done, total, unit);
}

}  // namespace

int main(int argc, char** argv) {
  examples::program = "tokenizer";
  const options o = read_options(argc, argv);
  const demo::interrupt interrupted;
  ctlm::pool<64> pool(o.threads);
  ctlm::tokenizer_trainer trainer(o.training);
  std::size_t bytes = 0;
  for (const std::string& path : o.texts) {
    const auto text = ctlm::read_file(path.c_str(), std::size_t{64} << 30);
    if (!text) examples::fail(path.c_str(), text.error());
    const auto lines = ctlm::lines_of(*text);
    const auto counted = trainer.count(lines, pool, [&](const ctlm::tokenizer_progress& p) {
      tell(path.c_str(), p.done >> 20, p.total >> 20, "MiB");
      return !interrupted;
    });
    if (!counted) examples::fail(path.c_str(), counted.error());
    if (interrupted) return std::fprintf(stderr, "\n"), interrupted.exit_status();  // there is nothing to write yet
    bytes += text->size();
  }
  const auto trained = trainer.learn([&](const ctlm::tokenizer_progress& p) {
    tell("learning", p.done, p.total, "tokens");
    return !interrupted;
  });
  if (!trained) examples::fail(ctlm::explain(trained.error()).text);
  if (::isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r\033[K");
  if (const auto saved = ctlm::save_hf_tokenizer(o.out.c_str(), *trained); !saved)
    examples::fail(o.out.c_str(), saved.error());
  std::printf("%zu tokens of %zu bytes of text: %s/tokenizer.json\n", trained->tokens().size(), bytes, o.out.c_str());
  if (interrupted) return interrupted.exit_status();
}
