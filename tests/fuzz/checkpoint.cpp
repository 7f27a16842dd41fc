// read_checkpoint and take_checkpoint: a file of any bytes is refused and nothing is written, or its sections are what
// was asked for. The first byte of an input says whether the checksum is made right, so that what lies behind it is
// reached.
#include "fuzz.hpp"

using namespace ctlm;

namespace {

constexpr std::uint64_t layout = 77;

struct content {
  std::uint64_t number = 1;
  float weights[3] = {1, 2, 3};
  char letter = 'x';
  /// The same bytes: a NaN is itself.
  bool operator==(const content& o) const {
    return number == o.number && std::memcmp(weights, o.weights, sizeof weights) == 0 && letter == o.letter;
  }

  std::vector<checkpoint_section> sections() {
    return {{"number", &number, sizeof number}, {"weights", weights, sizeof weights}, {"letter", &letter, 1}};
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool mend = in.number<char>() & 1;
  std::string bytes = in.rest();
  if (mend && bytes.size() >= 8) {
    checksum sum;
    sum.add(bytes.data(), bytes.size() - 8);
    const std::uint64_t value = sum.value();
    std::memcpy(bytes.data() + bytes.size() - 8, &value, 8);
  }
  content read;
  const auto r = read_checkpoint(fuzz::file_of(bytes), layout, read.sections());
  content taken;
  const span<const std::byte> in_memory(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  const auto t = take_checkpoint(in_memory, layout, taken.sections());
  fuzz::require(taken == read && t.error().code == r.error().code, "memory and files are read alike");
  if (!r) {
    fuzz::require(read == content(), "a refused checkpoint changes nothing");
    fuzz::require_words(r.error());
    return 0;
  }
  const std::string expected = fuzz::bytes_of(read.number) + fuzz::bytes_of(read.weights) + std::string(1, read.letter);
  fuzz::require(bytes.substr(bytes.size() - 8 - expected.size(), expected.size()) == expected,
                "sections are the file's bytes");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  content c;
  write_checkpoint(path(), layout, c.sections()).value();
  const std::string good = read_file(path()).value();
  keep(std::string(1, '\0') + good);
  keep('\1' + good);
  auto fewer = c.sections();
  fewer.pop_back();
  write_checkpoint(path(), layout, fewer).value();
  keep('\1' + read_file(path()).value());
  keep("");
}
