// loss_curve::svg: a picture of any losses, at once, without numbers that are none.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  loss_curve curve;
  for (auto* points : {&curve.training, &curve.validation})
    for (std::size_t n = in.below(50); n > 0 && in.left() > 0; --n) {
      const auto step = in.number<std::uint32_t>();
      points->push_back({step, in.number<float>()});
    }
  const std::string title = in.rest(), picture = curve.svg("a<b>&c");
  fuzz::require(
      picture.rfind("<svg ", 0) == 0 && picture.size() > 6 && picture.substr(picture.size() - 7) == "</svg>\n",
      "it is a picture");
  fuzz::require(picture.size() < 100'000, "it is not large");
  fuzz::require(picture.find("nan") == std::string::npos && picture.find("inf") == std::string::npos,
                "places are numbers");
  fuzz::require(picture.find("a&lt;b&gt;&amp;c") != std::string::npos, "titles are text");
  fuzz::require(curve.svg(title).size() <= picture.size() + 5 * title.size(), "titles are text");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  auto point = [](std::uint32_t step, float loss) { return bytes_of(step) + bytes_of(loss); };
  keep(bytes_of(std::uint16_t{3}) + point(1, 5) + point(2, 4) + point(3, 3.5f) + bytes_of(std::uint16_t{1}) +
       point(3, 3.6f) + "title");
  keep(bytes_of(std::uint16_t{1}) + point(0, std::numeric_limits<float>::quiet_NaN()) + bytes_of(std::uint16_t{1}) +
       point(0xFFFFFFFF, 0));
  keep("");
}
