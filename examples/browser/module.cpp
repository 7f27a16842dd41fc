// The page's module: one run, or one story, for each instance. Everything that it exports is called by module.js.
//
// Memory lies behind the module's own: the run's arena, the text, the file that is being opened, in this order, each at
// a multiple of 64 bytes. It is asked for when it is needed, and an instance that is not needed any more gives it back.
#include <new>

#include "learner.hpp"
#include "storyteller.hpp"

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))
#define IMPORT(name) extern "C" __attribute__((import_module("env"), import_name(#name)))

IMPORT(take_bytes) void page_take_bytes(const void* data, std::size_t n);
IMPORT(take_token) void page_take_token(ctlm::token t);
IMPORT(now) double page_now();
extern "C" std::byte __heap_base;

namespace {

using namespace browser;

template <class... Size>
struct list {
  static constexpr figures sizes[] = {learner<Size>::sizes...};
  static constexpr std::uint64_t fingerprints[] = {learner<Size>::fingerprint()...};
  static constexpr std::size_t count = sizeof...(Size);
  static constexpr std::size_t largest = [] {
    std::size_t bytes = 0;
    for (const std::size_t one : {sizeof(learner<Size>)...}) bytes = ctlm::larger(bytes, one);
    return bytes;
  }();

  /// Constructs the learner of this number.
  template <class A>
  static run* make(std::size_t number, void* place, A& memory, const text& t, const settings& s) {
    run* made = nullptr;
    std::size_t i = 0;
    ((i++ == number ? void(made = new (place) learner<Size>(memory, t, s)) : void()), ...);
    return made;
  }
};
using models = list<small, medium, large>;

constexpr std::size_t page_bytes = 65536, most_prompt = 512;

alignas(ctlm::memory_alignment) constinit std::byte run_place[models::largest]{};
constinit run* current = nullptr;
constinit std::size_t size = 0, text_bytes = 0, file_bytes = 0;
constinit double report[5]{};
constinit ctlm::token prompt_tokens[most_prompt]{};
constinit char prompt_text[most_prompt]{};
constinit ctlm::explanation said{};

/// `bytes` that begin `offset` behind the module's own memory; empty if the browser has no more.
ctlm::span<std::byte> memory_at(std::size_t offset, std::size_t bytes) {
  const std::size_t own = ctlm::round_up(reinterpret_cast<std::uintptr_t>(&__heap_base), ctlm::memory_alignment);
  const std::size_t end = own + offset + bytes, pages = ctlm::ceil_div(end, page_bytes);
  const std::size_t had = __builtin_wasm_memory_size(0);
  if (end < bytes || (pages > had && __builtin_wasm_memory_grow(0, pages - had) == static_cast<std::size_t>(-1)))
    return {};
  return {reinterpret_cast<std::byte*>(own + offset), bytes};
}
std::size_t padded(std::size_t bytes) { return ctlm::round_up(bytes, ctlm::memory_alignment); }
std::size_t run_bytes() { return models::sizes[size].run_bytes; }
ctlm::span<std::byte> text_memory() { return memory_at(run_bytes(), text_bytes); }
/// A story has no run before it.
std::size_t file_offset() { return text_bytes == 0 ? 0 : padded(run_bytes()) + padded(text_bytes); }
ctlm::span<const std::byte> file() { return memory_at(file_offset(), file_bytes); }

bool holds(const ctlm::result<void>& r) {
  said = ctlm::explain(r.error());
  return static_cast<bool>(r);
}

bool make_run(const settings& s) {
  if (!holds(check_settings(s))) return false;
  ctlm::span_arena arena(memory_at(0, run_bytes()));
  const auto bytes = text_memory();
  current = models::make(size, run_place, arena, text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}), s);
  return true;
}

}  // namespace

EXPORT(words) const char* words() { return said.text; }
EXPORT(figures_of) const figures* figures_of(std::size_t model) { return &models::sizes[model]; }
EXPORT(shortest_text) std::size_t shortest_text() { return least_text; }

/// The number of the model that an image or a checkpoint is of: both have a fingerprint at the same place. If there is
/// none, the number of models.
EXPORT(model_of_file) std::size_t model_of_file(std::size_t bytes) {
  std::uint64_t fingerprint = 0;
  if (bytes >= 24) __builtin_memcpy(&fingerprint, file().data() + 16, sizeof fingerprint);
  std::size_t i = 0;
  while (i < models::count && models::fingerprints[i] != fingerprint) ++i;
  return i;
}

/// Where the page puts a text of so many bytes, at least shortest_text(); 0 if there is no memory for the run.
EXPORT(begin) std::byte* begin(std::size_t model, std::size_t bytes) {
  size = model;
  text_bytes = bytes;
  return text_memory().data();
}
EXPORT(start) bool start(std::uint32_t seed, std::uint32_t steps, float lr, float dropout) {
  return make_run({.seed = seed, .steps = steps, .lr = lr, .dropout = dropout});
}
/// Where the page puts a file; 0 if there is no memory for it.
EXPORT(file_place) const std::byte* file_place(std::size_t bytes) {
  file_bytes = bytes;
  return file().data();
}
EXPORT(open_image) bool open_image() { return holds(current->load_image(file())); }
EXPORT(open_checkpoint) bool open_checkpoint() {
  const auto saved = saved_settings(file());
  if (!saved) return holds(saved.error());
  return make_run(*saved) && holds(current->load_checkpoint(file()));
}

/// Loss, norm of the gradients, learning rate, number of the step, whether it was skipped.
EXPORT(step) const double* step() {
  const ctlm::step_result r = current->step();
  report[0] = static_cast<double>(r.loss);
  report[1] = static_cast<double>(r.gradient_norm);
  report[2] = static_cast<double>(r.lr);
  report[3] = static_cast<double>(r.step);
  report[4] = r.skipped ? 1 : 0;
  return report;
}
EXPORT(steps) std::size_t steps() { return current->steps(); }
EXPORT(state) const run_state* state() { return &current->state(); }
EXPORT(validate) double validate() { return current->validate(); }
EXPORT(loss) double loss(std::size_t f) { return current->loss(static_cast<format>(f)); }
EXPORT(pace) double pace(std::size_t f) { return current->pace(static_cast<format>(f), page_now); }

EXPORT(prompt_place) char* prompt_place() { return prompt_text; }
EXPORT(most_prompt_bytes) std::size_t most_prompt_bytes() { return most_prompt; }
EXPORT(complete)
void complete(std::size_t f, std::size_t bytes, float temperature, std::size_t top_k, float top_p, std::uint32_t seed,
              std::size_t count) {
  current->complete(static_cast<format>(f), {prompt_text, bytes},
                    {.temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = seed}, count, page_take_token);
}

EXPORT(save_image) void save_image(std::size_t f) { current->save_image(static_cast<format>(f), page_take_bytes); }
EXPORT(save_checkpoint) bool save_checkpoint() { return holds(current->save_checkpoint(page_take_bytes)); }

/// Whether the file is an image of stories260K in int8, and whole.
EXPORT(open_story) bool open_story() { return holds(ctlm::check_image<storyteller::lm>(file()).error()); }
EXPORT(prompt_tokens_place) ctlm::token* prompt_tokens_place() { return prompt_tokens; }
/// After open_story. `tokens` are at least one, and in the vocabulary.
EXPORT(tell)
bool tell(std::size_t tokens, float temperature, std::size_t top_k, float top_p, std::uint32_t seed,
          std::size_t count) {
  const auto memory = memory_at(file_offset() + padded(file_bytes), storyteller::lm::session_bytes);
  if (memory.empty()) return holds(ctlm::failure{ctlm::errc::out_of_memory, "the browser has no memory for a story"});
  constexpr ctlm::token beginning_of_another = 1;
  const browser::page_sampler how{
      .temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = seed, .stop = beginning_of_another};
  return holds(storyteller::tell(file(), memory, {prompt_tokens, tokens}, how, count, page_take_token));
}
