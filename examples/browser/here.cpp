// The same runs on this computer, to compare with the module's: the same sources, a portable build.
//   here train MODEL TEXT STEPS TOTAL [open CHECKPOINT] [save CHECKPOINT] [image FORMAT FILE]
//   here tell MODEL FORMAT IMAGE PROMPT COUNT     from a file that the page saved, mapped
//   here pack STORIES IMAGE                       stories260K.bin as the page takes it
// MODEL is 0, 1 or 2, FORMAT 0 (f32), 1 (int8) or 2 (int4). A line for each step: the bits of loss and gradient norm.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "learner.hpp"
#include "storyteller.hpp"

namespace {

using namespace browser;

[[noreturn]] void fail(const std::string& words) {
  std::fprintf(stderr, "here: %s\n", words.c_str());
  std::exit(1);
}
void must(const ctlm::result<void>& r) {
  if (!r) fail(ctlm::explain(r.error()).text);
}
std::string read(const char* path) {
  auto text = ctlm::read_file(path);
  if (!text) fail(ctlm::explain(text.error()).text);
  return *text;
}
ctlm::span<const std::byte> bytes_of(const std::string& s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}
double milliseconds() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

std::FILE* output = nullptr;
void write_bytes(const void* data, std::size_t n) {
  if (std::fwrite(data, 1, n, output) != n) fail("a file could not be written");
}
template <class Write>
void write_file(const char* path, Write write) {
  output = std::fopen(path, "wb");
  if (output == nullptr) fail("a file could not be written");
  write();
  if (std::fclose(output) != 0) fail("a file could not be written");
}

template <class Size>
void train(int argc, char** argv) {
  const std::string bytes = read(argv[3]);
  const std::size_t last = std::strtoul(argv[4], nullptr, 10);
  settings s{.steps = std::strtoul(argv[5], nullptr, 10)};
  const std::string what = argc > 6 ? argv[6] : "";
  const std::string saved = what == "open" ? read(argv[7]) : "";
  if (what == "open") s = saved_settings(bytes_of(saved)).value();

  ctlm::heap_arena memory(learner<Size>::sizes.run_bytes);
  const auto run = std::make_unique<learner<Size>>(memory, text({bytes.data(), bytes.size()}), s);
  if (what == "open") must(run->load_checkpoint(bytes_of(saved)));
  const double start = milliseconds();
  const std::size_t first = run->steps();
  while (run->steps() < last) {
    const ctlm::step_result r = run->step();
    std::printf("%08x %08x\n", std::bit_cast<unsigned>(r.loss), std::bit_cast<unsigned>(r.gradient_norm));
  }
  std::fprintf(stderr, "milliseconds a step: %.3f\n",
               (milliseconds() - start) / static_cast<double>(ctlm::larger(1, last - first)));
  for (int i = what == "open" ? 8 : 6; i < argc; ++i) {
    if (std::string(argv[i]) == "save")
      write_file(argv[++i], [&] { must(run->save_checkpoint(write_bytes)); });
    else
      write_file(argv[i + 2], [&] { run->save_image(static_cast<format>(std::atoi(argv[i + 1])), write_bytes); }),
          i += 2;
  }
}

template <class M>
void tell(char** argv) {
  const auto image = ctlm::mapped_file::open(argv[4]);
  if (!image) fail(ctlm::explain(image.error()).text);
  const auto weights = ctlm::bind_image<M>(image->bytes());
  if (!weights) fail(ctlm::explain(weights.error()).text);
  ctlm::heap_arena memory(M::session_bytes);
  typename M::session session(*weights, memory);
  ctlm::token prompt[M::shape.context] = {};
  const std::string words = argv[5];
  for (std::size_t i = 0; i < words.size(); ++i) prompt[i] = token_of(words[i]);
  continue_text(any_session::of(session), {prompt, words.size()}, {}, std::strtoul(argv[6], nullptr, 10),
                [](ctlm::token t) { std::putchar(t); });
}
template <class Size>
void tell_in_format(char** argv) {
  using namespace ctlm;
  switch (std::atoi(argv[3])) {
    case 0:
      return tell<causal_lm<Size, on_any_machine, one_by_one>>(argv);
    case 1:
      return tell<causal_lm<Size, weights<int8<32>>, on_any_machine, one_by_one>>(argv);
    default:
      return tell<causal_lm<Size, weights<int4<32>>, on_any_machine, one_by_one>>(argv);
  }
}

void pack(char** argv) {
  using lm = storyteller::lm;
  ctlm::heap_arena memory(lm::weight_bytes);
  lm::weights weights(memory);
  must(ctlm::load_llama2c<lm>(argv[2], weights));
  must(ctlm::write_image<lm>(argv[3], weights));
}

template <class Size>
void act(const std::string& what, int argc, char** argv) {
  if (what == "train" && argc >= 6) return train<Size>(argc, argv);
  if (what == "tell" && argc == 7) return tell_in_format<Size>(argv);
  fail("train MODEL TEXT STEPS TOTAL..., tell MODEL FORMAT IMAGE PROMPT COUNT or pack STORIES IMAGE");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "", model = argc > 2 ? argv[2] : "";
  if (what == "pack" && argc == 4)
    pack(argv);
  else if (model == "1")
    act<medium>(what, argc, argv);
  else if (model == "2")
    act<large>(what, argc, argv);
  else
    act<small>(what, argc, argv);
}
