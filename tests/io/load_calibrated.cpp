// Files of a model to few bits, rounded by what its matrices see: what a quantiser makes of the loaded model, and what
// is refused.
#include "data.hpp"
#include "model/models.hpp"
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace ctlm;

using stories = models::stories_of_folder;

bool available() { return data::present("stories260K-hf/model.safetensors"); }
std::string folder() { return data::path("stories260K-hf"); }
std::string words(const failure& f) { return explain(f).text; }

template <class M>
struct held {
  heap_arena memory{M::weight_bytes};
  typename M::weights weights{memory};

  std::vector<std::byte> bytes() const {
    const auto all = typename M::const_weights(weights).bytes();
    return {all.begin(), all.end()};
  }
};

/// What load_calibrated loads.
template <class M, class E>
std::vector<std::byte> calibrated(E& exec, const quantise_options& o) {
  held<M> h;
  load_calibrated<M>(folder().c_str(), h.weights, exec, o).value();
  return h.bytes();
}
template <class M>
std::vector<std::byte> as_it_is() {
  held<M> h;
  serial alone;
  load_weights<M>(folder().c_str(), h.weights, alone).value();
  return h.bytes();
}

std::vector<token> some_text(std::size_t n) {
  rng random{3};
  std::vector<token> text(n);
  for (auto& t : text) t = static_cast<token>(random.below(512));
  return text;
}

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using exact_enough = std::tuple<causal_lm<stories, weights<int8<32>>>>;
#else
using exact_enough =
    std::tuple<causal_lm<stories>, causal_lm<stories, weights<bf16>>, causal_lm<stories, weights<int8<32>>>>;
#endif

}  // namespace

TEST_CASE("load_calibrated does what a quantiser does with the loaded model", "[io]") {
  if (!available()) return;
  using small = causal_lm<stories, weights<int4<32>>>;
  using full = full_form<small, pool<2>>;
  using work = quantiser<full, small>;
  held<full> exact;
  pool<2> one(1);
  load_weights<full>(folder().c_str(), exact.weights, one).value();
  const auto text = some_text(1600);
  const auto own = own_text<small>(exact.weights, one, 512, 2);
  CHECK(own.size() == 512);
  CHECK(own == own_text<full>(exact.weights, one, 512, 2));
  CHECK(own != own_text<full>(exact.weights, one, 512, 3));
  for (const quantise_options& o :
       {quantise_options{.seed = 2}, {.text = text}, {.method = rounding::gptq, .text = text}}) {
    held<small> expected;
    const quantise_options read{.method = o.method, .text = o.text.empty() ? span<const token>(own) : o.text};
    const quantiser_room room{.method = o.method, .tokens = read.text.size()};
    heap_arena memory(work::bytes_needed(room));
    work(memory, one, room).run(exact.weights, expected.weights, read);
    pool<2> two(2);
    CHECK((calibrated<small>(one, o) == expected.bytes()));
    CHECK((calibrated<small>(two, o) == expected.bytes()));
    CHECK((expected.bytes() != as_it_is<small>()));
  }
}

TEMPLATE_LIST_TEST_CASE("what would gain nothing is loaded as it is", "[io]", exact_enough) {
  if (!available()) return;
  serial alone;
  CHECK((calibrated<TestType>(alone, {}) == as_it_is<TestType>()));
}

TEST_CASE("load<lm> rounds 4 bits by what the matrices see", "[io]") {
  if (!available()) return;
  using small = causal_lm<stories, weights<int4<32>>>;
  serial alone;
  const auto m = load<small>(folder().c_str()).value();
  const auto all = typename small::const_weights(m.weights()).bytes();
  CHECK((std::vector<std::byte>(all.begin(), all.end()) == calibrated<small>(alone, {})));
}

TEST_CASE("a model whose logits are NaN cannot write, and is rounded all the same", "[io]") {
  if (!available()) return;
  using full = causal_lm<stories>;
  using small = causal_lm<stories, weights<int4<32>>>;
  held<full> exact;
  held<small> loaded;
  serial alone;
  load_weights<full>(folder().c_str(), exact.weights, alone).value();
  exact.weights.vector_of(tensor_id::norm_weight)[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(own_text<full>(exact.weights, alone, 10, 1).empty());
  const scratch_folder scratch;
  const std::string file = scratch / "model.safetensors";
  save_weights(file.c_str(), exact.weights).value();
  load_calibrated<small>(file.c_str(), loaded.weights, alone).value();
  CHECK((loaded.bytes() != as_it_is<small>()));
  CHECK(std::isnan(loaded.weights.vector_of(tensor_id::norm_weight)[3]));
}

TEST_CASE("load_calibrated tells how far it is, and refuses in words", "[io]") {
  if (!available()) return;
  using small = causal_lm<stories, weights<int4<32>>>;
  held<small> h;
  serial alone;
  std::vector<std::size_t> told;
  load_calibrated<small>(folder().c_str(), h.weights, alone, {}, nullptr, [&](std::size_t layer, std::size_t layers) {
    CHECK(layers == 5);
    told.push_back(layer);
  }).value();
  CHECK(told == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});

  const auto short_text = some_text(511);
  CHECK(words(load_calibrated<small>(folder().c_str(), h.weights, alone, {.text = short_text}).error()) ==
        "ctlm: a quantiser reads sequences of 512 tokens, and the text has 511");
  auto wrong = some_text(1024);
  wrong[700] = -1;
  CHECK(load_calibrated<small>(folder().c_str(), h.weights, alone, {.text = wrong}).error().code ==
        errc::invalid_argument);
  CHECK(load_calibrated<small>("no such folder", h.weights, alone).error().code == errc::not_found);
}
