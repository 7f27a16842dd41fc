// Fine-tuning on a microcontroller: the command line is a text, and an adapter of rank 4 (LoRA) learns it beside a
// model whose int4 weights stay in flash. The adapter is written out; a computer merges it (adapter_to_peft.cpp).
#include "adapter.hpp"
#include "stories_tokenizer.hpp"

#include "board/board.hpp"

constexpr std::size_t longest_text = 511;                   // bytes
using workspace = ctlm::flash_workspace<longest_text + 1>;  // and the space before them
constexpr std::size_t most_tokens = 160, steps = 20, ram = 256 * 1024, stack = 8 * 1024;
static_assert(workspace::bytes + longest_text + 4 * most_tokens < trainer::train_bytes,
              "a text needs less than a step");
static_assert(trainer::train_bytes + 64 + stack <= ram, "training must fit the RAM beside the stack");

static constinit ctlm::static_arena<trainer::train_bytes> sram;

[[gnu::noinline]] static void require(const ctlm::failure& f) {
  if (f.code == ctlm::errc::ok) return;
  board::print(ctlm::explain(f).text);
  board::print("\n");
  board::stop(1);
}

// What begins is done apart from the rest, so that its stack, and the memory of the text, are free again.
[[gnu::noinline]] static std::size_t read_text(std::uint16_t (&to)[most_tokens]) {
  const auto tokenizer = ctlm::flash_tokenizer::bind(stories_tokenizer::image());
  require(tokenizer.error());
  const std::size_t before = sram.mark();
  char* const text = sram.allocate<char>(longest_text);
  const ctlm::span<ctlm::token> tokens(sram.allocate<ctlm::token>(most_tokens), most_tokens);
  const ctlm::span<ctlm::flash_symbol> work(sram.allocate<ctlm::flash_symbol>(longest_text + 1), longest_text + 1);
  const std::size_t length = board::read_command_line(text, longest_text);
  const auto n = tokenizer->encode({text, length}, tokens, work);
  require(n.error());
  for (std::size_t i = 0; i < *n; ++i) to[i] = static_cast<std::uint16_t>(tokens[i]);
  sram.rewind(before);
  return *n;
}

void firmware() {
  std::uint16_t text[most_tokens];
  const std::size_t n = read_text(text);
  if (n < trainer::sequence + 1) {
    board::print("the text is too short for one sequence\n");
    board::stop(1);
  }
  const auto weights = ctlm::bind_image<lm>(MODEL::image());
  require(weights.error());

  trainer t(*weights, sram, {.optimizer = {.lr = 1e-2f}});
  ctlm::token inputs[trainer::step_tokens], targets[trainer::step_tokens];
  float first = 0, last = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t begin = step * 11 % (n - trainer::sequence);
    for (std::size_t i = 0; i < trainer::sequence; ++i) {
      inputs[i] = text[begin + i];
      targets[i] = text[begin + i + 1];
    }
    last = t.step({inputs, trainer::step_tokens}, {targets, trainer::step_tokens}).loss;
    if (step == 0) first = last;
    board::line("loss_millionths", static_cast<std::uint64_t>(static_cast<double>(last) * 1e6));
  }

  ctlm::checksum sum;
  const std::uintptr_t file = board::open_file("adapter.f32");
  if (file == 0) board::stop(1);
  for (const ctlm::tensor_info& tensor : t.learned().tensors) {
    const auto numbers = t.learned().numbers(tensor);
    sum.add(numbers.data(), numbers.size() * sizeof(float));
    board::write_file(file, numbers.data(), numbers.size() * sizeof(float));
  }
  board::close_file(file);
  board::line("weights_checksum", sum.value());
  board::line("text_tokens", n);
  board::line("train_bytes", trainer::train_bytes);
  board::line("ram_bytes", sizeof sram + board::stack_size());
  board::line("stack_used", board::stack_used());
  board::line("stack_size", board::stack_size());
  if (!(last < first)) board::stop(1);
}
