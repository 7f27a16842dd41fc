// Takes the adapter that firmware_adapt wrote to a computer: PEFT's files are made of it, read again and merged into
// the weights that it was learned beside.
//   adapter_to_peft MODEL_IMAGE adapter.f32 FOLDER
#include "adapter.hpp"

#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>

#include <cstdio>

static int fail(const ctlm::failure& f) {
  return std::fprintf(stderr, "adapter_to_peft: %s\n", ctlm::explain(f).text), 1;
}

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: adapter_to_peft MODEL_IMAGE adapter.f32 FOLDER\n"), 2;
  const auto image = ctlm::mapped_file::open(argv[1]);
  if (!image) return fail(image.error());
  const auto bound = ctlm::bind_image<lm>(image->bytes());
  if (!bound) return fail(bound.error());
  const lm::const_weights& weights = *bound;

  // The trainer is the table of what the file has; it does not learn here.
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(weights, memory, {});
  std::FILE* const file = std::fopen(argv[2], "rb");
  if (file == nullptr) return std::perror(argv[2]), 1;
  bool whole = true;
  for (const ctlm::tensor_info& tensor : t.learned().tensors) {
    const auto numbers = t.learned().numbers(tensor);
    whole = whole && std::fread(numbers.data(), sizeof(float), numbers.size(), file) == numbers.size();
  }
  whole = whole && std::fgetc(file) == EOF;
  std::fclose(file);
  if (!whole) return std::fprintf(stderr, "adapter_to_peft: %s is not of this adapter\n", argv[2]), 1;
  if (const auto r = ctlm::save_adapter<lm>(argv[3], t.adapted()); !r) return fail(r.error());

  const auto read = ctlm::load_adapter<lm>(argv[3]);
  if (!read) return fail(read.error());
  using whole_lm = ctlm::causal_lm<MODEL::tag>;
  ctlm::heap_arena a(whole_lm::weight_bytes), b(whole_lm::weight_bytes);
  whole_lm::weights trained(a), merged(b);
  ctlm::merge_adapter(t.adapted(), trained);
  ctlm::merge_adapter(ctlm::weights_with_adapter{weights, read->get()}, merged);
  std::size_t changed = 0;
  ctlm::decode_weights(weights, trained);  // as it is without the adapter
  for (std::size_t i = 0; i < merged.bytes().size(); ++i) changed += merged.bytes()[i] != trained.bytes()[i];
  ctlm::merge_adapter(t.adapted(), trained);
  for (std::size_t i = 0; i < merged.bytes().size(); ++i)
    if (merged.bytes()[i] != trained.bytes()[i])
      return std::fprintf(stderr, "adapter_to_peft: PEFT's files differ\n"), 1;
  if (changed == 0) return std::fprintf(stderr, "adapter_to_peft: the adapter changes nothing\n"), 1;
  std::printf("merged: %zu bytes of %zu are other than the base's\n", changed, merged.bytes().size());
}
