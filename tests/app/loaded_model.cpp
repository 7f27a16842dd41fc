// load<lm>: from a folder of Hugging Face to tokens, with memory and threads of its own.
#include "../io/data.hpp"
#include "model/models.hpp"

#include <ctlm/ctlm.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace {

using namespace ctlm;
namespace fs = std::filesystem;

using stories = models::stories_of_folder;
using full = causal_lm<stories>;

bool available() { return data::present("stories260K-hf/model.safetensors"); }
std::string model_folder() { return data::path("stories260K-hf"); }

std::vector<token> golden_tokens() {
  std::istringstream in(data::read(data::path("stories260K_greedy64_tokens.txt")));
  return {std::istream_iterator<token>(in), {}};
}
std::string words(const failure& f) { return explain(f).text; }

/// A folder that removes itself.
struct scratch_folder {
  fs::path path = fs::temp_directory_path() / ("ctlm-loaded-" + std::to_string(::getpid()));

  scratch_folder() { fs::create_directories(path); }
  ~scratch_folder() { fs::remove_all(path); }
  std::string write(const char* name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a loaded model tells the golden tokens, with threads and without", "[app]", full,
                   (causal_lm<stories, threads<pool<2>>>), (causal_lm<stories, weights<f16>, prompt_chunk<4>>)) {
  if (!available()) return;
  auto m = load<TestType>(model_folder().c_str()).value();
  CHECK(m.stop_tokens() == std::vector<token>{2});
  const auto golden = golden_tokens();
  std::vector<token> told{1};
  auto keep = [&](token t) { told.push_back(t); };
  CHECK(m.complete(told, 63, keep).value() == 63);
  CHECK(told == golden);
  loaded_model<TestType> moved = std::move(m);
  told.assign(golden.begin(), golden.begin() + 20);
  CHECK(moved.complete(std::vector<token>(told), 10, keep).value() == 10);  // anew
  CHECK(moved.session().position() == 30);
  CHECK(moved.go_on({}, 34, keep).value() == 34);
  CHECK(told == golden);
}

TEST_CASE("a loaded model ends at its stop tokens, and on request", "[app]") {
  if (!available()) return;
  auto m = load<full>((model_folder() + "/model.safetensors").c_str()).value();
  const auto golden = golden_tokens();
  m.stop_tokens() = {-1, golden[9], golden[5]};
  const token first = golden[0];
  CHECK(m.complete({&first, 1}, 60, [](token) {}).value() == 4);
  m.stop_tokens().clear();
  CHECK(m.complete({&first, 1}, 60, [](token) {}, {.stop = golden[9]}).value() == 8);
  CHECK(m.complete({&first, 1}, 60, [&](token t) { return t != golden[3]; }).value() == 3);
  CHECK(m.complete({&first, 1}, 0, [](token) {}).value() == 0);
  CHECK(m.session().position() == 1);
}

TEST_CASE("a prompt that cannot be taken is a failure, and the model is as it was", "[app]") {
  if (!available()) return;
  auto m = load<full>(model_folder().c_str()).value();
  const std::vector<token> prompt{1, 400, 300};
  auto nobody = [](token) { FAIL("a token of a prompt that was refused"); };
  CHECK(words(m.go_on({}, 5, nobody).error()) == "ctlm: a prompt needs at least 1 token, it has 0");
  REQUIRE(m.complete(prompt, 5, [](token) {}).value() == 5);
  const std::vector<token> outside{1, 2, 512}, negative{-3}, longer(513, 1), too_long(505, 1);
  CHECK(words(m.complete({}, 5, nobody).error()) == "ctlm: a prompt needs at least 1 token, it has 0");
  CHECK(words(m.complete(outside, 5, nobody).error()) ==
        "ctlm: token 512 at position 2 of the prompt is outside the vocabulary of 512");
  CHECK(words(m.go_on(negative, 5, nobody).error()) ==
        "ctlm: token -3 at position 0 of the prompt is outside the vocabulary of 512");
  CHECK(words(m.complete(longer, 5, nobody).error()) == "ctlm: the context is full: 513 positions needed, 512 left");
  CHECK(words(m.go_on(too_long, 5, nobody).error()) == "ctlm: the context is full: 505 positions needed, 504 left");
  CHECK(m.session().position() == 8);
}

TEST_CASE("what is no model, or another one, is refused", "[app]") {
  const scratch_folder f;
  CHECK(load<full>("no such folder").error().code == errc::not_found);
  CHECK(load<full>(f.path.c_str()).error().code == errc::not_found);
  CHECK(load<full>(nullptr).error().code == errc::invalid_argument);
  CHECK(load<full>("").error().code == errc::invalid_argument);
  CHECK(load<full>("no model.gguf").error().code == errc::not_found);
  const std::vector<float> numbers(8);
  const tensor_to_save other[] = {{"other.weight", safetensors_type::f32, 1, {8}}};
  const std::string file = (f.path / "model.safetensors").string();
  save_safetensors(file.c_str(), other, [&](std::size_t, safetensors_writer& out) {
    return out.put(numbers.data(), 8);
  }).value();
  tensor_report report;
  CHECK(load<full>(f.path.c_str(), &report).error().code == errc::wrong_model);
  CHECK(report.extra == 1);
  f.write("config.json", "{");
  CHECK(load<full>(file.c_str()).error().code == errc::truncated);
}

TEST_CASE("stop tokens are a number or a list in config.json", "[app]") {
  const scratch_folder f;
  const std::string folder = f.path.string(), file = f.write("model.safetensors", "");
  using tokens = std::vector<token>;
  CHECK(stop_tokens(folder.c_str()).value().empty());
  auto with = [&](const char* config) {
    f.write("config.json", config);
    return stop_tokens(file.c_str());
  };
  CHECK(with(R"({"eos_token_id": 7})").value() == tokens{7});
  CHECK(stop_tokens(folder.c_str()).value() == tokens{7});
  CHECK(with(R"({"eos_token_id": [1, 2, 3]})").value() == tokens{1, 2, 3});
  CHECK(with(R"({"eos_token_id": []})").value().empty());
  CHECK(with(R"({"eos_token_id": null})").value().empty());
  CHECK(with("{}").value().empty());
  CHECK(with(R"({"eos_token_id": "</s>"})").error().code == errc::corrupt);
  CHECK(with(R"({"eos_token_id": [1, 99999999999]})").error().code == errc::unsupported);
  CHECK(words(with(R"({"eos_token_id": [1, 2.5]})").error()) ==
        "ctlm: eos_token_id of config.json is neither a token nor a list of tokens (byte 21)");
}

TEST_CASE("stop tokens are those of all three files of a model, each once", "[app]") {
  const scratch_folder f;
  using tokens = std::vector<token>;
  auto found = [&] { return stop_tokens(f.path.c_str()); };
  f.write("generation_config.json", R"({"eos_token_id": [151645, 151643]})");  // as Qwen2.5-Instruct has them
  CHECK(found().value() == tokens{151645, 151643});
  f.write("config.json", R"({"eos_token_id": 151643})");
  CHECK(found().value() == tokens{151643, 151645});
  f.write("generation_config.json", R"({"eos_token_id": 2})");
  CHECK(found().value() == tokens{151643, 2});
  f.write("generation_config.json", R"({"eos_token_id": null, "temperature": 0.5})");
  CHECK(found().value() == tokens{151643});
  f.write("generation_config.json", R"({"eos_token_id": [2, "</s>"]})");
  CHECK(found().error().code == errc::corrupt);
  CHECK(words(found().error()) ==
        "ctlm: eos_token_id of generation_config.json is neither a token nor a list of tokens (byte 21)");
  f.write("generation_config.json", R"({"eos_token_id": [2)");
  CHECK(words(found().error()) == "ctlm: generation_config.json is no JSON, or none that is read, from byte 19 on");
  CHECK(found().error().code == errc::truncated);
  f.write("generation_config.json", "{}");

  auto tokenizer = [&](const char* text) {
    f.write("tokenizer_config.json", text);
    return found();
  };
  CHECK(tokenizer(R"({"eos_token": "<e>", "added_tokens_decoder": {"1": {"content": "<s>"}, "9": {"content": "<e>"}}})")
            .value() == tokens{151643, 9});
  CHECK(tokenizer(R"({"eos_token": {"content": "<s>"}, "added_tokens_decoder": {"1": {"content": "\u003cs>"}}})")
            .value() == tokens{151643, 1});
  CHECK(tokenizer(R"({"eos_token": "<e>"})").value() == tokens{151643});
  CHECK(tokenizer(R"({"eos_token": null, "added_tokens_decoder": {"1": {"content": ""}}})").value() == tokens{151643});
  CHECK(tokenizer(R"({"eos_token": "<e>", "added_tokens_decoder": {"1x": {"content": "<e>"}}})").error().code ==
        errc::corrupt);
}

TEST_CASE("stop tokens come from the folder of the model, not from the one around it", "[app]") {
  const scratch_folder f;
  f.write("config.json", R"({"eos_token_id": 1})");
  f.write("generation_config.json", R"({"eos_token_id": 2})");
  fs::create_directories(f.path / "model");
  CHECK(stop_tokens((f.path / "model").c_str()).value().empty());
  f.write("model/config.json", R"({"eos_token_id": 3})");
  CHECK(stop_tokens((f.path / "model").c_str()).value() == std::vector<token>{3});
}
