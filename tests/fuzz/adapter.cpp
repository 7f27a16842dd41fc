// read_adapter: whatever adapter_config.json and adapter_model.safetensors hold, they are refused in words, or every
// matrix of the adapter has the numbers of a tensor of the file. The first line is the config, the rest the tensors.
#include "fuzz.hpp"

#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>

using namespace ctlm;

namespace {

struct tag {
  static constexpr llama_config config{
      .vocab = 5, .d_model = 4, .layers = 1, .heads = 2, .kv_heads = 1, .d_ff = 6, .context = 4};
};
using lm = causal_lm<tag>;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string all(reinterpret_cast<const char*>(data), size);
  const std::size_t line = smaller(all.find('\n'), all.size());
  const std::string config = all.substr(0, line);
  std::string tensors = all.substr(smaller(line + 1, all.size()));
  const std::size_t end = tensors.rfind('}');  // the header's length is made right
  const std::uint64_t header = end == std::string::npos ? 0 : end + 1;
  tensors = fuzz::bytes_of(header) + tensors;
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(tensors.data()),
                                     reinterpret_cast<const std::byte*>(tensors.data()) + tensors.size());
  const auto file = safetensors_file::bind(bytes);
  if (!file) return 0;
  const auto a = read_adapter<lm>(span<const char>(config), *file);
  if (!a) {
    fuzz::require_words(a.error());
    return 0;
  }
  const adapter_shape s = a->get().layout();
  fuzz::require(s.rank > 0, "an adapter has a rank");
  std::size_t tensors_needed = 0;
  for (const adapter_parts& p : s.parts) tensors_needed += p.count * (s.decomposed ? 3 : 2);
  fuzz::require(tensors_needed == file->tensors().size(), "every tensor of the file has a place");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  for (const bool dora : {false, true}) {
    adapter_shape s{2, 4, !dora, dora, {}};
    s.parts[0] = all_adapter_parts(lm::shape, tensor_id::qkv_weight);
    if (dora) s.parts[3] = all_adapter_parts(lm::shape, tensor_id::down_weight);
    const loaded_adapter<lm> a(s);
    const std::string folder = path() + std::string(".adapter");
    save_adapter<lm>(folder.c_str(), a.get()).value();
    std::string config = read_file((folder + "/adapter_config.json").c_str()).value();
    for (char& c : config)
      if (c == '\n') c = ' ';
    const std::string tensors = read_file((folder + "/adapter_model.safetensors").c_str()).value();
    std::string padded = tensors.substr(8);
    keep(config + '\n' + padded);
  }
}
