// sampler::choose: any logits and options give a token that there is, or a ctlm::error.
#include "fuzz.hpp"

using namespace ctlm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  sampler choice;
  choice.temperature = in.number<float>();
  choice.top_k = in.number<std::size_t>();
  choice.top_p = in.number<float>();
  choice.seed = in.number<std::uint64_t>();
  std::vector<float> logits;
  while (in.left() > 0 && logits.size() < 200) logits.push_back(in.number<float>());
  for (int draws = 0; draws < 3; ++draws)
    fuzz::succeeds([&] {
      std::vector<float> room = logits;
      const token t = choice.choose(portable{}, span<float>(room));
      fuzz::require(t >= 0 && static_cast<std::size_t>(t) < logits.size(), "the choice is a token");
    });
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (float temperature : {0.0f, 0.8f, 1e-38f, nan})
    for (float top_p : {1.0f, 0.9f, 0.0f}) {
      const std::string options =
          bytes_of(temperature) + bytes_of(std::size_t{2}) + bytes_of(top_p) + bytes_of(std::uint64_t{7});
      std::string plain = options, odd = options;
      for (float x : {0.5f, -1.0f, 3.0f, 3.0f, 100.0f, -200.0f}) plain += bytes_of(x);
      for (float x : {infinity, nan, -infinity, 1.0f}) odd += bytes_of(x);
      keep(plain);
      keep(odd);
    }
}
