// read_head: whatever a file of safetensors holds, it is refused in words and the head stays as it was, or the head has
// the file's numbers, which are the same after save_head and load_head. The length of the file's header is made right.
#include "fuzz.hpp"

#include <ctlm/io/head_file.hpp>
#include <ctlm/train/heads.hpp>

using namespace ctlm;

namespace {

constexpr std::size_t d = 4;
using three_classes = classification<3, mean_rows>;
using two_values = regression<2, last_row>;

template <class H>
struct own_head {
  heap_arena memory{basic_head_weights<H, d, float>::bytes_needed()};
  basic_head_weights<H, d, float> weights{memory};

  std::string bytes() const { return {reinterpret_cast<const char*>(weights.bytes().data()), weights.bytes().size()}; }
};

template <class H>
void read(const safetensors_file& file) {
  own_head<H> h;
  h.weights.begin(5);
  const std::string before = h.bytes();
  const auto r = read_head(file, h.weights);
  if (!r) {
    fuzz::require_words(r.error());
    fuzz::require(h.bytes() == before, "a head that is refused changes nothing");
    return;
  }
  fuzz::require(file.tensors().size() == H::tensors(d).size(), "every tensor of the file has a place");
  own_head<H> again;
  save_head(fuzz::path(), h.weights).value();
  load_head(fuzz::path(), again.weights).value();
  fuzz::require(again.bytes() == h.bytes(), "a head that is saved is read again to the bit");
}

/// A head's file, without the length of its header.
template <class H>
std::string saved() {
  own_head<H> h;
  h.weights.begin(1);
  save_head(fuzz::path(), h.weights).value();
  return read_file(fuzz::path()).value().substr(8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.rfind('}');
  all = fuzz::bytes_of(std::uint64_t{end == std::string::npos ? 0 : end + 1}) + all;
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(all.data()),
                                     reinterpret_cast<const std::byte*>(all.data()) + all.size());
  const auto file = safetensors_file::bind(bytes);
  if (!file) {
    fuzz::require_words(file.error());
    return 0;
  }
  read<three_classes>(*file);
  read<two_values>(*file);
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  keep(saved<three_classes>());
  keep(saved<two_values>());
}
