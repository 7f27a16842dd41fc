// A conversation with a model from Hugging Face, in text: ./dev chat builds and runs it.
//   chat [--prompt TEXT] [--system TEXT] [--most N] [--raw] [--ids]
//        [--temperature T] [--top-k K] [--top-p P] [--min-p P] [--typical P] [--repetition R] [--frequency F]
//        [--presence F] [--seed N]
// Without a prompt it reads lines and answers each; what was said before stays in the session. An answer is printed as
// it comes, in whole characters, up to the end of the turn or of the context, and of N tokens at most. The likeliest
// token is taken each time; with a temperature above 0 tokens are drawn, by the rules that the other options give.
// Penalties are for the last 256 tokens of prompt and answer.
// --raw takes text as it is, without the model's template, and goes on with it; --ids takes and prints token ids.
#include <ctlm/app/conversation.hpp>
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

#include <unistd.h>

namespace {

using lm = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<ctlm::pool<16>>,
                           ctlm::prompt_chunk<64>>;

struct options {
  bool has_prompt = false, raw = false, ids = false;
  std::string prompt, system;
  std::size_t most = lm::shape.context;  // tokens of an answer
  // how a token is chosen
  float temperature = 0, top_p = 1, min_p = 0, typical = 1, repetition = 1, frequency = 0, presence = 0;
  std::size_t top_k = 0, seed = 0;

  auto sampler() const {
    return ctlm::rule_sampler{
        {.seed = seed},
        ctlm::penalties<256>{.repetition = repetition, .frequency = frequency, .presence = presence},
        ctlm::temperature{temperature},
        ctlm::top_k{top_k},
        ctlm::top_p{top_p},
        ctlm::min_p{min_p},
        ctlm::typical{typical}};
  }
};

[[noreturn]] void fail(const std::string& sentence) {
  std::fprintf(stderr, "chat: %s\n", sentence.c_str());
  std::exit(1);
}
std::string of_files(const ctlm::failure& f) {
  return std::string(example_model::files) + ": " + ctlm::explain(f).text;
}

std::size_t number_of(const std::string& option, const std::string& n) {
  if (n.empty() || n.size() > 9 || n.find_first_not_of("0123456789") != n.npos || std::stoul(n) == 0)
    fail(option + " needs a number of tokens, at least 1, not \"" + n + "\"");
  return std::stoul(n);
}

/// A number between `least` and `most`.
float real_of(const std::string& option, const std::string& n, float least, float most, const char* which) {
  float x = 0;
  const auto r = std::from_chars(n.data(), n.data() + n.size(), x);
  if (n.empty() || r.ec != std::errc() || r.ptr != n.data() + n.size() || !(x >= least && x <= most))
    fail(option + " needs a number " + which + ", not \"" + n + "\"");
  return x;
}
std::size_t whole_of(const std::string& option, const std::string& n) {
  if (n.empty() || n.size() > 9 || n.find_first_not_of("0123456789") != n.npos)
    fail(option + " needs a whole number, not \"" + n + "\"");
  return std::stoul(n);
}

/// Takes an option of how tokens are chosen; false if it is none.
bool takes_rule(options& o, const std::string& option, const std::string& n) {
  const auto number = [&](float& to, float least, float most, const char* which) {
    to = real_of(option, n, least, most, which);
    return true;
  };
  if (option == "--temperature") return number(o.temperature, 0, 1000, "between 0 and 1000");
  if (option == "--top-p") return number(o.top_p, 0, 1, "between 0 and 1");
  if (option == "--min-p") return number(o.min_p, 0, 1, "between 0 and 1");
  if (option == "--typical") return number(o.typical, 1e-6f, 1, "above 0, and 1 at most");
  if (option == "--repetition") return number(o.repetition, 1e-3f, 1000, "between 0.001 and 1000");
  if (option == "--frequency") return number(o.frequency, -1000, 1000, "between -1000 and 1000");
  if (option == "--presence") return number(o.presence, -1000, 1000, "between -1000 and 1000");
  if (option != "--top-k" && option != "--seed") return false;
  (option == "--top-k" ? o.top_k : o.seed) = whole_of(option, n);
  return true;
}

bool is_utf8(const std::string& text) {
  std::string whole;
  ctlm::utf8_repair repair;
  repair.push(text, whole);
  repair.finish(whole);
  return whole == text;
}

options read_options(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--raw" || option == "--ids") {
      (option == "--raw" ? o.raw : o.ids) = true;
    } else if ((option == "--prompt" || option == "--system") && i + 1 < argc) {
      o.has_prompt = o.has_prompt || option == "--prompt";
      (option == "--prompt" ? o.prompt : o.system) = argv[++i];
    } else if (option == "--most") {
      o.most = number_of(option, i + 1 < argc ? argv[++i] : "");
    } else if (takes_rule(o, option, i + 1 < argc ? argv[i + 1] : "")) {
      ++i;
    } else {
      fail(
          "usage: chat [--prompt TEXT] [--system TEXT] [--most N] [--raw] [--ids] [--temperature T] [--top-k K] "
          "[--top-p P] [--min-p P] [--typical P] [--repetition R] [--frequency F] [--presence F] [--seed N]");
    }
  }
  if (o.ids && (o.raw || !o.system.empty()))
    fail("--ids is for token ids alone: it goes neither with --raw nor with --system");
  if (o.raw && !o.system.empty()) fail("--raw takes text as it is: it has no place for --system");
  if (o.has_prompt && !o.ids && o.prompt.empty()) fail("--prompt needs some text, and it is empty");
  if (!is_utf8(o.prompt)) fail("--prompt is not UTF-8");
  if (!is_utf8(o.system)) fail("--system is not UTF-8");
  return o;
}

/// Tokens that were made, and the time between the first and the last of each answer.
class counter {
 public:
  void begin() { n_ = 0; }
  void made_one() {
    const clock::time_point now = clock::now();
    if (n_++ == 0)
      first_ = now;  // the prompt is taken before it, and not counted
    else {
      ++tokens_;
      seconds_ += std::chrono::duration<double>(now - last_).count();
    }
    last_ = now;
  }
  void print() const {
    if (seconds_ > 0) std::fprintf(stderr, "%.1f tokens per second\n", static_cast<double>(tokens_) / seconds_);
  }

 private:
  using clock = std::chrono::steady_clock;
  clock::time_point first_, last_;
  std::size_t n_ = 0, tokens_ = 0;
  double seconds_ = 0;
};

void print(std::string_view piece) {
  std::fwrite(piece.data(), 1, piece.size(), stdout);
  std::fflush(stdout);
}

/// Reads a line; somebody who types sees that it is waited for.
bool read_line(std::string& line) {
  const bool typed = isatty(STDIN_FILENO) != 0;
  if (typed) print("> ");
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  if (typed && !read) print("\n");
  return read;
}

/// answer(line) -> bool for the prompt, or for each line that is read; false if the prompt had no answer.
template <class F>
bool answer_all(const options& o, F answer) {
  if (o.has_prompt) return answer(o.prompt);
  for (std::string line; read_line(line);) answer(line);
  return true;
}

/// Says why an answer ends where the context is full: a session that has no place left has not ended it by itself.
template <class Session>
void tell_if_full(const Session& session) {
  if (session.position() < lm::shape.context) return;
  std::fprintf(stderr,
               "chat: the answer ends here, because the context of %zu positions is full (--context n has more)\n",
               static_cast<std::size_t>(lm::shape.context));
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

bool chat_in_ids(const options& o) {
  if (o.has_prompt && o.prompt.find_first_of("0123456789") == std::string::npos)
    fail("a prompt is token ids with spaces between them, as in 1 403 407; not \"" + o.prompt + "\"");
  ctlm::tensor_report report;
  auto model = ctlm::load<lm>(example_model::files, &report);
  std::fputs(report.text.c_str(), stderr);  // a line for each tensor that does not fit
  if (!model) fail(of_files(model.error()));
  counter made;
  const bool done = answer_all(o, [&](const std::string& line) {
    const std::vector<ctlm::token> prompt = ids_of(line);
    if (prompt.empty()) return false;
    made.begin();
    const auto drawn = model->go_on(
        prompt, o.most,
        [&](ctlm::token t) {
          made.made_one();
          std::printf("%d ", t);
          std::fflush(stdout);
        },
        o.sampler());
    print("\n");
    if (drawn)
      tell_if_full(model->session());
    else
      std::fprintf(stderr, "chat: %s\n", ctlm::explain(drawn.error()).text);
    return static_cast<bool>(drawn);
  });
  made.print();
  return done;
}

/// Says why there is no answer, and what helps against a context that is full.
void refuse(const ctlm::failure& f) {
  const bool full = f.code == ctlm::errc::context_full;
  std::fprintf(stderr, "chat: %s%s\n", ctlm::explain(f).text, full ? " (./dev chat has --context n for more)" : "");
}

bool chat_in_text(const options& o) {
  ctlm::tensor_report report;
  auto how =
      o.raw ? ctlm::result<ctlm::chat_template>(ctlm::chat_template()) : ctlm::load_chat_template(example_model::files);
  if (!how) fail(of_files(how.error()) + " (--raw goes on with a text as it is)");
  auto chat = ctlm::load_conversation<lm>(example_model::files, *how, &report);
  std::fputs(report.text.c_str(), stderr);
  if (!chat) fail(of_files(chat.error()));
  if (!o.system.empty()) chat->instruct(o.system);
  counter made;
  const bool done = answer_all(o, [&](const std::string& line) {
    if (line.empty()) return false;
    if (!is_utf8(line)) {
      std::fputs("chat: this line is not UTF-8, and is left out\n", stderr);
      return false;
    }
    made.begin();
    const auto answer = chat->say(
        line,
        [&](std::string_view piece) {
          made.made_one();
          print(piece);
        },
        o.sampler(), o.most);
    if (!answer) return refuse(answer.error()), false;
    print("\n");
    tell_if_full(chat->model().session());
    return true;
  });
  made.print();
  return done;
}

}  // namespace

int main(int argc, char** argv) try {
  const options o = read_options(argc, argv);
  return (o.ids ? chat_in_ids(o) : chat_in_text(o)) ? 0 : 1;
} catch (const std::exception& e) {  // logits that are not numbers
  fail(e.what());
}
