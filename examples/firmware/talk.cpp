// Text in, text out on a microcontroller: the command line is a prompt, and the model goes on with it. The model and
// its tokenizer stay in flash; the prompt is encoded in the memory that the session takes afterwards.
#include MODEL_HEADER
#include "stories_tokenizer.hpp"

#include "board/board.hpp"

using lm = MODEL::lm<ctlm::kv_cache<ctlm::int8<>>, ctlm::backend<ctlm::portable>, ctlm::prompt_chunk<1>>;
constexpr std::size_t longest_prompt = 255;                   // bytes
using workspace = ctlm::flash_workspace<longest_prompt + 1>;  // and the space before them
constexpr std::size_t most_tokens = 64;                       // of a prompt
static_assert(workspace::bytes + longest_prompt + 4 * most_tokens < lm::session_bytes,
              "a prompt needs less than a session");
static_assert(lm::session_bytes <= 60 * 1024, "session must leave 4 KB for the stack in 64 KB");

static constinit ctlm::static_arena<lm::session_bytes> sram;

[[gnu::noinline]] static void require(const ctlm::failure& f) {
  if (f.code == ctlm::errc::ok) return;
  board::print(ctlm::explain(f).text);
  board::print("\n");
  board::stop(1);
}
// Bytes of a token; half a character may be one.
[[gnu::noinline]] static void print(ctlm::span<const std::byte> text) {
  char zero_terminated[64];
  std::size_t n = 0;
  for (const std::byte b : text)
    if (n + 1 < sizeof zero_terminated) zero_terminated[n++] = static_cast<char>(b);
  zero_terminated[n] = '\0';
  board::print(zero_terminated);
}

// What begins is done apart from the rest, so that its stack is free again.
[[gnu::noinline]] static ctlm::flash_tokenizer bind_tokenizer() {
  const auto t = ctlm::flash_tokenizer::bind(stories_tokenizer::image());
  require(t.error());
  return *t;
}
// Encodes the prompt; the memory for it is free again, too.
[[gnu::noinline]] static std::size_t read_prompt(const ctlm::flash_tokenizer& tokenizer,
                                                 std::uint8_t (&prompt)[2 * most_tokens]) {
  const std::size_t before = sram.mark();
  char* const text = sram.allocate<char>(longest_prompt);
  const ctlm::span<ctlm::token> tokens(sram.allocate<ctlm::token>(most_tokens), most_tokens);
  const ctlm::span<ctlm::flash_symbol> work(sram.allocate<ctlm::flash_symbol>(longest_prompt + 1), longest_prompt + 1);
  const std::size_t length = board::read_command_line(text, longest_prompt);
  const std::uint64_t begin = board::clock();
  const auto n = tokenizer.encode({text, length}, tokens, work);
  const std::uint64_t end = board::clock();
  require(n.error());
  for (std::size_t i = 0; i < *n; ++i) {
    prompt[2 * i] = static_cast<std::uint8_t>(tokens[i]);
    prompt[2 * i + 1] = static_cast<std::uint8_t>(tokens[i] >> 8);
  }
  sram.rewind(before);
  board::line("prompt_bytes", length);
  board::line("prompt_clock", board::elapsed(begin, end));
  return *n;
}

void firmware() {
  const ctlm::flash_tokenizer tokenizer = bind_tokenizer();
  const auto weights = ctlm::bind_image<lm>(MODEL::image());
  require(weights.error());
  std::uint8_t prompt[2 * most_tokens];
  const std::size_t n = read_prompt(tokenizer, prompt);

  lm::session session(*weights, sram);
  ctlm::token previous = 0, next = 0;
  std::uint64_t decoding = 0;
  board::print("tokens");
  for (std::size_t i = 0; i < n; ++i) {
    previous = static_cast<ctlm::token>(prompt[2 * i] | prompt[2 * i + 1] << 8);
    board::print(" ");
    board::print(static_cast<std::uint64_t>(previous));
    const std::uint64_t begin = board::clock();
    next = ctlm::sampler::greedy(session.decode(previous));
    decoding = board::elapsed(begin, board::clock());
  }
  board::print("\n--- text\n");
  for (int i = 0; i < 60 && next != 1; ++i) {  // a story ends where another would begin
    print(tokenizer.text_of(previous, next));
    previous = next;
    next = ctlm::sampler::greedy(session.decode(next));
  }
  board::print("\n--- end\n");
  board::line("token_clock", decoding);
  board::line("weight_bytes", lm::weight_bytes);
  board::line("tokenizer_bytes", stories_tokenizer::image().size());
  board::line("encoding_bytes", workspace::bytes);
  board::line("session_bytes", lm::session_bytes);
  board::line("stack_used", board::stack_used());
  board::line("stack_size", board::stack_size());
}
