// write_checkpoint: sections of any names, sizes and number read back as they were, or are refused when they are
// written.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto layout = in.number<std::uint64_t>();
  std::vector<std::string> names, contents;
  for (std::size_t n = in.below(80); n > 0; --n) {
    names.push_back(in.text(in.below(60)));
    contents.push_back(in.text(in.below(100)));
  }
  auto sections_in = [&](std::vector<std::string>& room) {
    std::vector<checkpoint_section> s;
    for (std::size_t i = 0; i < names.size(); ++i) s.push_back({names[i].c_str(), room[i].data(), room[i].size()});
    return s;
  };
  const auto written = write_checkpoint(fuzz::path(), layout, sections_in(contents));
  if (!written) {
    fuzz::require_words(written.error());
    return 0;
  }
  std::vector<std::string> read = contents;
  for (std::string& s : read) s.assign(s.size(), '?');
  const auto r = read_checkpoint(fuzz::path(), layout, sections_in(read));
  fuzz::require(static_cast<bool>(r), "what could be written can be read");
  fuzz::require(read == contents, "sections read back as they were");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  auto number = [](std::uint16_t n) { return bytes_of(n); };
  keep(std::string(8, 'l') + number(2) + number(4) + "name" + number(5) + "bytes" + number(3) + "two" + number(0));
  std::string many = std::string(8, 'l') + number(64);
  for (int i = 0; i < 64; ++i) many += number(1) + 'n' + number(1) + 'b';
  keep(many);
  keep(std::string(8, 'l') + number(1) + number(39) + std::string(39, 'n') + number(3) + "abc");
}
