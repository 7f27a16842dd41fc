// Text from a session: where it stands afterwards, what is refused, and that a refusal changes nothing.
#include "catch.hpp"

#include "models.hpp"

#include <algorithm>
#include <cmath>

using namespace models;
using namespace ctlm;

namespace {

using full = causal_lm<tiny_llama>;
using single = causal_lm<tiny_gpt2, prompt_chunk<1>>;  // one token at a time: no sum depends on how a text was cut
using compact = causal_lm<tiny_llama, weights<int4<32>>, kv_cache<int8<>>, prompt_chunk<1>>;

template <class Session>
std::vector<typename Session::real> logits_of(Session& s) {
  const auto logits = s.logits();
  return {logits.begin(), logits.end()};
}

/// A running model with weights.
template <class M>
struct filled : running<M> {
  filled() { randomise<M>(this->weights); }
};

template <class M, class F>
std::size_t continue_with(filled<M>& r, const std::vector<token>& prompt, std::size_t count, F&& f, sampler how = {}) {
  return generate(r.session, span<const token>(prompt), how, count, f);
}

#if CTLM_EXCEPTIONS
std::string error_of(auto&& f) {
  try {
    f();
  } catch (const ctlm::error& e) {
    return e.what();
  }
  return "";
}
#endif

}  // namespace

TEMPLATE_TEST_CASE("after generate a session stands where the text ends, to the bit", "[model]", single, compact) {
  filled<TestType> r, fresh;
  std::vector<token> text = random_tokens(5, 61);
  auto keep = [&](token t) { text.push_back(t); };
  CHECK(continue_with(r, text, 7, keep) == 7);
  CHECK(r.session.position() == text.size());
  fresh.session.prefill(text);
  CHECK(logits_of(r.session) == logits_of(fresh.session));
  CHECK(logits_of(r.session) == logits_of(r.session));  // as often as one likes

  const std::vector<token> more = random_tokens(3, 61, 2);  // the conversation goes on
  text.insert(text.end(), more.begin(), more.end());
  CHECK(continue_with(r, more, 4, keep) == 4);
  CHECK(r.session.position() == text.size());
  fresh.session.reset();
  fresh.session.prefill(text);
  CHECK(logits_of(r.session) == logits_of(fresh.session));
}

// What docs/generating.md says of conversations.
TEMPLATE_TEST_CASE("how a text enters changes its logits' last digits at most, and no bit in the same chunks",
                   "[model]", full, (causal_lm<tiny_gpt2>), (causal_lm<tiny_llama, backend<portable>>)) {
  filled<TestType> conversation, again, whole;
  std::vector<token> text = random_tokens(11, 61);
  const std::vector<token> prompt = text;
  continue_with(conversation, prompt, 9, [&](token t) { text.push_back(t); });
  const std::vector<token> reply = random_tokens(10, 61, 3);
  conversation.session.take(reply);
  text.insert(text.end(), reply.begin(), reply.end());

  const span<const token> all(text);
  again.session.take(all.first(11));
  for (std::size_t i = 11; i < 20; ++i) again.session.take(all.subspan(i, 1));
  again.session.take(all.subspan(20));
  whole.session.take(all);
  const auto expected = logits_of(conversation.session), at_once = logits_of(whole.session);
  CHECK(logits_of(again.session) == expected);
  for (std::size_t v = 0; v < expected.size(); ++v) CHECK(at_once[v] == Approx(expected[v]).margin(1e-5));
}

TEST_CASE("text made in two calls is text made in one", "[model]") {
  for (float temperature : {0.0f, 0.9f}) {
    filled<full> once, twice;
    const auto prompt = random_tokens(11, 61);
    sampler a{.temperature = temperature, .seed = 4}, b = a;
    std::vector<token> whole, parts;
    generate(once.session, span<const token>(prompt), a, 12, [&](token t) { whole.push_back(t); });
    generate(twice.session, span<const token>(prompt), b, 0, [&](token t) { parts.push_back(t); });
    CHECK(parts.empty());
    CHECK(twice.session.position() == 11);  // a count of 0 takes the prompt
    for (std::size_t n : {5, 0, 1, 6}) generate(twice.session, {}, b, n, [&](token t) { parts.push_back(t); });
    CHECK(parts == whole);
    CHECK(logits_of(twice.session) == logits_of(once.session));
  }
}

TEST_CASE("the stop token is neither handed on nor kept; a token that ends a callback is both", "[model]") {
  filled<single> r, fresh;
  const auto prompt = random_tokens(4, 61);
  std::vector<token> all;
  continue_with(r, prompt, 10, [&](token t) { all.push_back(t); });
  const auto stop = static_cast<std::size_t>(std::find(all.begin(), all.end(), all[6]) - all.begin());
  r.session.reset();
  CHECK(continue_with(r, prompt, 10, [](token) {}, {.stop = all[6]}) == stop);
  CHECK(r.session.position() == prompt.size() + stop);
  std::vector<token> text = prompt;
  text.insert(text.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(stop));
  fresh.session.prefill(text);
  CHECK(logits_of(r.session) == logits_of(fresh.session));
  CHECK(continue_with(r, {}, 1, [&](token t) { CHECK(t == all[stop]); }) == 1);

  r.session.reset();
  CHECK(continue_with(r, prompt, 10, [n = 0](token) mutable { return ++n < 3; }) == 3);
  CHECK(r.session.position() == prompt.size() + 3);
}

TEST_CASE("a full context ends generation: its last token finds no room", "[model]") {
  filled<full> r;
  std::vector<token> made;
  CHECK(continue_with(r, random_tokens(38, 61), 10, [&](token t) { made.push_back(t); }) == 3);
  CHECK(r.session.position() == 40);
  CHECK(continue_with(r, {}, 10, [](token) {}) == 0);
  r.session.reset();
  CHECK(continue_with(r, random_tokens(40, 61), 10, [](token) {}) == 1);
}

TEST_CASE("logits stay at hand until a session is rewound", "[model]") {
  filled<full> r;
  const auto tokens = random_tokens(12, 61);
  r.session.take(tokens);
  const auto expected = logits_of(r.session);
  r.session.take({});
  r.session.rewind(12);
  CHECK(logits_of(r.session) == expected);
  r.session.reset();
  const auto again = r.session.prefill(tokens);
  CHECK(std::equal(again.begin(), again.end(), expected.begin()));
}

#if CTLM_EXCEPTIONS
TEST_CASE("logits that are gone are refused, and an empty prompt at the beginning", "[model]") {
  filled<full> r;
  const std::string gone =
      "ctlm: there are no logits: the session is empty or was rewound, and has taken no token since";
  CHECK(error_of([&] { r.session.logits(); }) == gone);
  CHECK(error_of([&] { continue_with(r, {}, 1, [](token) {}); }) == gone);
  CHECK(continue_with(r, {}, 0, [](token) {}) == 0);
  r.session.take(random_tokens(5, 61));
  r.session.rewind(4);
  CHECK(error_of([&] { r.session.logits(); }) == gone);
}

TEST_CASE("what does not fit, or is no token, is refused before anything changes", "[model]") {
  filled<full> r;
  const auto prompt = random_tokens(30, 61);
  r.session.take(prompt);
  const auto expected = logits_of(r.session);
  const auto nothing = [](std::size_t, auto) { FAIL("a token was taken"); };
  auto unchanged = [&] {
    CHECK(r.session.position() == 30);
    CHECK(logits_of(r.session) == expected);
  };
  const auto longer = random_tokens(11, 61);
  const std::string no_room = "ctlm: the context is full: 11 positions needed, 10 left";
  CHECK(error_of([&] { r.session.prefill(longer); }) == no_room);
  CHECK(error_of([&] { r.session.take(longer); }) == no_room);
  CHECK(error_of([&] { r.session.score(longer, nothing); }) == no_room);
  CHECK(error_of([&] { continue_with(r, longer, 1, [](token) {}); }) == no_room);
  CHECK(error_of([&] { continue_with(r, longer, 0, [](token) {}); }) == no_room);
  unchanged();
  for (token wrong : {61, -1, 1'000'000'000}) {
    auto tokens = random_tokens(10, 61);
    tokens.back() = wrong;
    const std::string no_token = "ctlm: token " + std::to_string(wrong) + " is outside the vocabulary of 61";
    CHECK(error_of([&] { r.session.prefill(tokens); }) == no_token);
    CHECK(error_of([&] { r.session.score(tokens, nothing); }) == no_token);
    CHECK(error_of([&] { continue_with(r, tokens, 1, [](token) {}); }) == no_token);
    unchanged();
    CHECK(error_of([&] { mean_nll(r.session, tokens); }) == no_token);  // the last one is a target only
    unchanged();
  }
  CHECK(error_of([&] { mean_nll(r.session, prompt, 0); }) ==
        "ctlm: mean_nll needs a window of at least 1 token, not 0");
  CHECK(error_of([&] { mean_nll(r.session, span<const token>(prompt).first(1)); }) ==
        "ctlm: mean_nll needs at least 2 tokens, not 1");
  unchanged();
  CHECK(std::isfinite(mean_nll(r.session, prompt, 1)));
  CHECK(mean_nll(r.session, prompt, 1000) == mean_nll(r.session, prompt));
}

TEST_CASE("a model that computes NaN generates nothing, and says so", "[model]") {
  filled<full> r;
  r.weights.vector_of(tensor_id::norm_weight)[3] = std::nanf("");
  for (float temperature : {0.0f, 1.0f}) {
    r.session.reset();
    CHECK(error_of([&] {
            continue_with(r, {1, 2, 3}, 5, [](token) {}, {.temperature = temperature});
          }) == "ctlm: logit 0 is not a number");
  }
}
#endif
